"""The parity table: all stored SURFEX cases of a folder, variable by variable, as markdown."""

import logging
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dalearn.errors import InputError
from dalearn.experiments.parity import DRIFT, compare_cases
from dalearn.experiments.reference_batch import batch_key
from dalearn.experiments.reference_case import ReferenceCase, read_reference_case
from dalearn.experiments.reference_names import COMPARED_NAMES, units_of

logger = logging.getLogger("dalearn")

# largest error asked for in float64, in the units of the variable
LIMITS = {"WG": 1e-6, "WGI": 1e-6, "TG": 1e-3, "LAI": 1e-5, "H": 1e-2, "LE": 1e-2, "WSN": 1e-3}
RELATIVE_LIMITS = {"GPP": 1e-5}  # of the largest value of the reference
BUDGET_LIMIT = 1e-9  # kg m-2 s-1, in float64
DRIFT_LIMIT = 1e-4  # of the precipitation

Result = dict[str, Any]


def run_folder(
    folder: Path | str,
    *,
    dtype: str = "float64",
    compiled: bool = True,
    progress: bool = True,
    limit: int | None = None,
) -> tuple[list[Result], dict[str, str]]:
    """The parity results of all case files of ``folder`` in the order of their names, and why some could not run.

    Cases with the same options, steps and length run as one batch.  The second value maps case names to the reason.
    Raises InputError for a folder without netCDF files.
    """
    folder = Path(folder)
    paths = sorted(folder.glob("*.nc"))
    if not paths:
        raise InputError(f"{folder}: no *.nc file; give a folder of stored SURFEX cases")
    groups: dict[Hashable, list[ReferenceCase]] = {}
    refused: dict[str, str] = {}
    for path in paths:
        try:
            case = read_reference_case(path)
        except InputError as error:
            refused[path.stem] = str(error).removeprefix(f"{path}: ")
            logger.warning("%s", error)
            continue
        groups.setdefault(batch_key(case), []).append(case)
    results: dict[str, Result] = {}
    for cases in groups.values():
        logger.info("%s", ", ".join(case.name for case in cases))
        for result in compare_cases(cases, dtype=dtype, compiled=compiled, progress=progress, limit=limit):
            results[result["case"]] = result
    return [results[name] for name in sorted(results)], refused


def parity_table(results: Sequence[Result], refused: Mapping[str, str], statistic: str = "max_abs") -> str:
    """A markdown table of one ``statistic`` of ``run_parity``: a row per variable, a column per case.

    ``max_abs`` comes with the errors asked for, and larger ones in bold.  Then a line per refused case.
    """
    names = [name for name in COMPARED_NAMES if any(name in result["variables"] for result in results)]
    judged = statistic == "max_abs"
    header = ["variable", "units", *(["asked for"] if judged else []), *(result["case"] for result in results)]
    lines = [header, ["---"] * len(header)]
    for name in names:
        columns = [result["variables"].get(name) for result in results]
        cells = [_cell(name, values, statistic) if values else "-" for values in columns]
        lines.append([name, units_of(name), *([_asked_for(name)] if judged else []), *cells])
    budget = [_emphasised(result["water_budget_residual"], BUDGET_LIMIT) for result in results]
    lines.append(["water budget of a step", "kg m-2 s-1", *([f"{BUDGET_LIMIT:.0e}"] if judged else []), *budget])
    drift = [_emphasised(result[DRIFT], DRIFT_LIMIT) for result in results]
    asked = [f"{DRIFT_LIMIT:.0e}"] if judged else []
    lines.append(["water budget of the whole run", "of the precipitation", *asked, *drift])
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return text + "".join(f"\n{name} was not run: {reason}\n" for name, reason in refused.items())


def _asked_for(name: str) -> str:
    if name in RELATIVE_LIMITS:
        return f"{RELATIVE_LIMITS[name]:.0e} of max"
    return f"{LIMITS[name]:.0e}" if name in LIMITS else ""


def _cell(name: str, values: Mapping[str, Any], statistic: str) -> str:
    value = values[statistic]
    if value is None:
        return "-"
    if statistic != "max_abs":
        return f"{value:.3g}"
    limit = LIMITS.get(name)
    if name in RELATIVE_LIMITS:
        limit = RELATIVE_LIMITS[name] * values["reference_max"]
    return _emphasised(value, limit)


def _emphasised(value: float, limit: float | None) -> str:
    """In bold where it is neither 0 nor below the limit."""
    return f"{value:.1e}" if limit is None or value == 0.0 or value < limit else f"**{value:.1e}**"
