"""The evaluation stage: Jacobians compared, then tables, figures and the report."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dalearn.evaluation.cells import Cells, dominant_class
from dalearn.evaluation.domain import Domain
from dalearn.evaluation.evaluate import evaluate_run
from dalearn.evaluation.page import EvaluationSettings
from dalearn.evaluation.year_contrast import ContrastSettings
from dalearn.experiments.cell_labels import read_labels
from dalearn.experiments.equivalents import load_equivalents
from dalearn.experiments.jacobian import combine, compare_window
from dalearn.experiments.neutralised import neutralise
from dalearn.experiments.observations import read_configured, read_rescaled
from dalearn.experiments.open_loop import state_path
from dalearn.experiments.open_loop_data import OpenLoopData
from dalearn.experiments.range_exits import count_range_exits
from dalearn.experiments.restart import read_state
from dalearn.experiments.run_directory import RunDirectory
from dalearn.experiments.sections import ObservationConfig
from dalearn.experiments.setup import Setup
from dalearn.files import write_text
from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.observations.observations import Observations

LAND_COVERS = {
    "C3 crops": ("C3",),
    "C4 crops": ("C4", "IRR"),
    "grassland": ("GRAS", "TROG", "BOGR", "PARK"),
    "coniferous trees": ("BONE", "TENE", "BOND"),
    "broadleaf trees": ("TEBD", "TRBE", "TRBD", "TEBE", "BOBD"),
}

logger = logging.getLogger("dalearn")


def run_evaluation(setup: Setup, directory: RunDirectory) -> list[Path]:
    """Score what the run directory holds; returns the files written."""
    section, assimilation = setup.config.evaluation, setup.config.assimilation
    files = []
    comparison = None
    if assimilation is not None and section.jacobians and setup.config.dtype == "float64":
        comparison = _compare_jacobians(setup, directory)
        files.append(directory / "tables" / "jacobian.json")
        write_text(files[0], json.dumps(comparison, indent=2))
    warnings = count_range_exits(setup, directory) if assimilation is not None else []
    for warning in warnings:
        logger.warning(warning)
    scores = directory / "tables" / "operator_scores.csv"
    result = evaluate_run(
        directory.path,
        _cells(setup),
        observations=_satellite(setup, directory),
        in_situ=_read_optional(setup, section.in_situ),
        root_zone=_read_optional(setup, section.in_situ_root_zone),
        operator_scores=pd.read_csv(scores) if setup.config.training is not None else None,
        neutralised=neutralise(setup, directory),
        wetness=_wetness(setup),
        domain=_domain(setup),
        jacobian_comparison=comparison,
        warnings=warnings,
        title=setup.config.name,
        settings=EvaluationSettings(
            in_situ_tolerance_hours=section.tolerance_hours,
            window_end_hour=assimilation.window_start_hour if assimilation is not None else 9,
            satellite_name=_satellite_moisture(setup) or "satellite",
            contrast=ContrastSettings(section.contrast_month, section.dry_year, section.wet_year),
            reference_year=section.reference_year,
        ),
    )
    for sentence in result.missing:
        logger.info("report: %s", sentence)
    return [result.report, *files, *result.tables.values(), *result.figures.values()]


def _cells(setup: Setup) -> Cells:
    surface = setup.surface
    kinds = dominant_class(surface.fraction, VEGETATION_TYPES)
    labels = read_labels(surface.source, surface.cell_count)
    return Cells(surface.latitude, surface.longitude, station=surface.name, vegetation_class=kinds, **labels)


def _satellite(setup: Setup, directory: RunDirectory) -> list[Observations]:
    """One set of observations per quantity, the in situ ones left out."""
    config, open_loop = setup.config, OpenLoopData(directory / "open_loop.nc")
    chosen: dict[str, str] = {}
    for observation in config.observations:
        if not _is_in_situ(setup, observation):
            chosen.setdefault(observation.quantity, observation.name)
    return [read_rescaled(setup, name, open_loop) for name in chosen.values()]


def _domain(setup: Setup) -> Domain:
    """Altitude and the land covers of Figure 1 of Corchia et al. (2023)."""
    fraction = np.nan_to_num(setup.surface.fraction)

    def share(names: Sequence[str]) -> np.ndarray:
        return np.asarray(fraction[:, [VEGETATION_TYPES.index(name) for name in names]].sum(axis=1))

    return Domain(setup.surface.altitude, {label: share(names) for label, names in LAND_COVERS.items()})


def _read_optional(setup: Setup, name: str | None) -> Observations | None:
    return None if name is None else read_configured(setup, name)


def _is_in_situ(setup: Setup, observation: ObservationConfig) -> bool:
    in_situ = setup.config.evaluation.in_situ_names().values()
    return observation.name in in_situ or observation.layout == "in_situ_case"


def _satellite_moisture(setup: Setup) -> str | None:
    """Name of the first satellite soil moisture in the configuration."""
    names = [section.name for section in setup.config.observations
             if section.quantity == "SSM" and not _is_in_situ(setup, section)]  # fmt: skip
    return names[0] if names else None


def _wetness(setup: Setup) -> Observations | None:
    """Satellite soil moisture before any rescaling to the model."""
    return _read_optional(setup, _satellite_moisture(setup))


def _compare_jacobians(setup: Setup, directory: RunDirectory) -> dict[str, Any]:
    """The back ends on the stored windows."""
    assimilation = setup.config.assimilation
    assert assimilation is not None
    operators = list(load_equivalents(setup, directory, setup.config.assimilated_observations()).values())
    comparisons = []
    for start in setup.jacobian_windows:
        path = state_path(directory.path, np.datetime64(start))
        state, _, _ = read_state(path, setup.grid.column_count, dtype=torch.float64, device=setup.device)
        comparisons.append(compare_window(setup, setup.model, state, start, operators))
    combined = combine(comparisons)
    worst = max((item["max_rel"] or 0.0, name) for name, item in combined["agreement"].items())
    logger.info(
        "Jacobians on %d windows: largest difference %.2g of the row maximum (%s), kinks excluded",
        len(comparisons), *worst,
    )  # fmt: skip
    return combined
