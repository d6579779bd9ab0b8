"""Sections of the report on the run as a whole: what was run, the open loop, Jacobian back ends, warnings."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dalearn.evaluation.compare import ROOT_ZONE, root_zone
from dalearn.evaluation.matching import ObservationSeries
from dalearn.evaluation.page import Page
from dalearn.evaluation.run_data import RunData
from dalearn.evaluation.style import pretty_units
from dalearn.variables import VARIABLES


def add_what_was_run(page: Page, run: RunData) -> None:
    """Period, cells, experiments, configuration, versions and inputs, from what the run directory holds."""
    cells, report = page.cells, page.report
    report.section("What was run")
    experiments = ", ".join(run.experiments) or "none"
    classes = pd.Series([name or "unknown" for name in cells.vegetation_class]).value_counts()
    report.items(
        [
            f"Run directory: {run.path.name}",
            f"Window ends: {len(run.time)}, from {run.time[0]} to {run.time[-1]} UTC",
            f"Cells: {cells.count} ({', '.join(f'{name} {count}' for name, count in classes.items())}); "
            f"stations: {len(cells.stations)}",
            f"Experiments beside the open loop: {experiments}",
        ]
    )
    provenance = run.path / "provenance.json"
    if provenance.exists():
        record = json.loads(provenance.read_text())
        versions = ", ".join(f"{name} {version}" for name, version in record.get("versions", {}).items())
        report.paragraph(f"Versions: {versions or 'not recorded'}. Commit: {record.get('commit') or 'not recorded'}.")
        inputs = pd.DataFrame(record.get("inputs", []))
        if len(inputs):
            keep = [name for name in ("path", "bytes", "sha256") if name in inputs]
            if "sha256" in inputs:
                inputs["sha256"] = inputs["sha256"].astype(str).str.slice(0, 16)
            report.table(inputs[keep], "Input files; sha256 shortened, in full in provenance.json.")
    else:
        page.absent("provenance.json is not there: versions and inputs are not known.")
    configuration = run.path / "config.yaml"
    if configuration.exists():
        report.code(configuration.read_text(), "Configuration")
    else:
        page.absent("config.yaml is not there: the configuration is not known.")


def add_open_loop(page: Page, run: RunData) -> None:
    """Mean and range of the open loop, and of the truth of a twin, at the window ends."""
    page.report.section("Open loop")
    if run.open_loop is None:
        page.absent("open_loop.nc is not there.")
        return
    rows = []
    for source in ("open_loop", "truth"):
        fields = {name: run.of_state(source, name) for name in ("WG2", "TG2", "LAI")}
        fields[ROOT_ZONE] = root_zone(run, source)
        for name, values in fields.items():
            if values is None:
                continue
            known = values[np.isfinite(values)]
            units = VARIABLES[name if name in VARIABLES else "WG2"].units
            low, middle, high = np.quantile(known, [0.01, 0.5, 0.99])
            row = {
                "run": source.replace("_", " "),
                "variable": name,
                "units": pretty_units(units),
                "mean": known.mean(),
            }
            rows.append(row | {"1 %": low, "median": middle, "99 %": high})
    page.table("open_loop", pd.DataFrame(rows), "State at the window ends, over all cells and windows.")


def add_observations(page: Page, observations: Sequence[ObservationSeries]) -> None:
    """How many samples of each set of observations were read, kept and left out, by reason."""
    page.report.section("Observations")
    if not observations:
        page.absent("No observations were given beside those in analysis.nc.")
        return
    rows = []
    for series in observations:
        days = np.sort(series.time.astype("datetime64[D]"))
        period = f"{days[0]} to {days[-1]}" if len(days) else "none"
        counts = {name.replace("_", " "): int(number) for name, number in series.counts.items()}
        rows.append({"quantity": series.quantity, "units": pretty_units(series.units), "period": period, **counts})
    frame = pd.DataFrame(rows).fillna(0)
    frame = frame.astype({name: int for name in frame if name not in ("quantity", "units", "period")})
    page.table("observations", frame, "Samples read, kept, and left out by reason before the assimilation.")


def add_jacobian_comparison(page: Page, comparison: Mapping[str, Any] | None) -> None:
    """Finite differences against autograd, in the form that ``dalearn jacobian --json`` prints."""
    page.report.section("Jacobians: finite differences and autograd")
    if comparison is None:
        page.absent("No comparison of the two Jacobians was given (dalearn jacobian makes one).")
        return
    agreement = (
        pd.DataFrame.from_dict(comparison.get("agreement", {}), orient="index").rename_axis("variable").reset_index()
    )
    cost = pd.DataFrame.from_dict(comparison.get("cost", {}), orient="index").rename_axis("back end").reset_index()
    columns = {
        "max_rel": "largest error / row maximum",
        "median_rel": "median error / row maximum",
        "kink_share": "share on a kink",
    }
    names = {"seconds": "time (s)", "forward_runs": "forward runs", "peak_memory_bytes": "peak memory (bytes)"}
    if len(agreement):
        caption = (
            f"Agreement over {comparison.get('columns', 'the')} columns, {comparison.get('dtype', '')}; kinks excluded."
        )
        page.table("jacobian_agreement", agreement.rename(columns=columns), caption)
    if len(cost):
        page.table("jacobian_cost", cost.rename(columns=names), "Cost of each back end, without compilation.")


def add_warnings(page: Page, warnings: Sequence[str]) -> None:
    """Range excursions, rejected observations and whatever else the stages warned of."""
    page.report.section("Warnings")
    if warnings:
        page.report.items(list(warnings))
    else:
        page.report.paragraph("None.")
    if page.missing:
        page.report.paragraph("Inputs that were not there:")
        page.report.items(page.missing)
