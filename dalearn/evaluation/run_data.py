"""Reading a run directory: open loop, truth and analyses at the window ends, as arrays for the scores.

``open_loop.nc`` and ``truth.nc`` hold (time, cell); ``analysis.nc`` holds (experiment, time, cell) with, for an
observed quantity Q, ``Q_observed``, ``Q_model_forecast``, ``Q_model_analysis``, ``Q_departure``, ``Q_rejected``, and
``Q_open_loop`` (time, cell), which does not depend on the experiment.  A quantity observed several times in a window
has a row Q_at_... for each.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from dalearn.errors import InputError
from dalearn.evaluation.matching import nearest_rows

_DEPARTURE_WORDS = ("departure", "gross", "innovation")


@dataclass(frozen=True)
class RunData:
    """Open files of a run; ``None`` where a file is not there.  ``time`` (time,) datetime64[s]: window ends."""

    path: Path
    time: np.ndarray
    cell_count: int
    open_loop: xr.Dataset | None
    analysis: xr.Dataset | None
    truth: xr.Dataset | None

    @property
    def experiments(self) -> list[str]:
        return [] if self.analysis is None else [str(name) for name in self.analysis["experiment"].values]

    def of_experiment(
        self, variable: str, experiment: str, windows: np.ndarray | slice = slice(None)
    ) -> np.ndarray | None:
        """``variable`` of analysis.nc for one experiment, (time, cell); None when absent or entirely missing.

        ``windows`` reads some of the window ends only.
        """
        if self.analysis is None or variable not in self.analysis:
            return None
        return _values(self.analysis[variable].isel(experiment=self.experiments.index(experiment), time=windows))

    def of_all(self, variable: str) -> np.ndarray | None:
        """``variable`` (time, cell) of analysis.nc that does not depend on the experiment; None when absent."""
        if self.analysis is None or variable not in self.analysis:
            return None
        return _values(self.analysis[variable])

    def of_state(self, source: str, variable: str, windows: np.ndarray | slice = slice(None)) -> np.ndarray | None:
        """``variable`` of "open_loop" or "truth" at the window ends, or at some of them, (time, cell); None when
        absent."""
        dataset: xr.Dataset | None = getattr(self, source)
        if dataset is None or variable not in dataset:
            return None
        rows = nearest_rows(self.time[windows], dataset["time"].values)
        if not np.any(rows >= 0):
            raise InputError(f"{self.path / (source + '.nc')}: time: no overlap with the windows of analysis.nc")
        values = _values(dataset[variable].isel(time=rows[rows >= 0]))
        if values is None:
            return None
        result = np.full((len(rows), self.cell_count), np.nan)
        result[rows >= 0] = values
        return result

    def units(self, variable: str, default: str = "") -> str:
        """Units of ``variable`` where any of the files states them."""
        for dataset in (self.analysis, self.open_loop):
            if dataset is not None and variable in dataset:
                return str(dataset[variable].attrs.get("units", default))
        return default

    def observation_rows(self, quantities: Sequence[str]) -> list[str]:
        """Rows of observations in analysis.nc in the order of their ``quantities``: a name Q, or Q_at_ and a time."""
        if self.analysis is None:
            return []
        rows = [str(name).removesuffix("_observed") for name in self.analysis if str(name).endswith("_observed")]
        return [row for quantity in quantities for row in rows if quantity_of(row) == quantity]

    def observed(self, quantity: str) -> np.ndarray | None:
        """``Q_observed`` over all experiments, (time, cell), without what quality control removed.

        An experiment that does not assimilate Q may have no observations stored: the first experiment that has
        one gives it.  Observations rejected for their departure from the forecast STAY: leaving out what disagrees
        with the experiment would flatter it.  Other rejections (frozen ground, bad flags) are left out for all.
        """
        result = None
        for experiment in self.experiments:
            values = self.of_experiment(f"{quantity}_observed", experiment)
            if values is None:
                continue
            values = np.where(self._removed(quantity, experiment), np.nan, values)
            result = values if result is None else np.where(np.isfinite(result), result, values)
        return result

    def flags(self, quantity: str) -> dict[int, str]:
        """Meaning of each value of ``Q_rejected``; empty when the variable or its flag attributes are absent."""
        if self.analysis is None or f"{quantity}_rejected" not in self.analysis:
            return {}
        attributes = self.analysis[f"{quantity}_rejected"].attrs
        values = np.atleast_1d(attributes.get("flag_values", []))
        meanings = str(attributes.get("flag_meanings", "")).split()
        return {int(value): meaning for value, meaning in zip(values, meanings, strict=False)}

    def _removed(self, quantity: str, experiment: str) -> np.ndarray:
        flag = self.of_experiment(f"{quantity}_rejected", experiment)
        if flag is None:
            return np.zeros((len(self.time), self.cell_count), dtype=bool)
        departure = [
            value
            for value, meaning in self.flags(quantity).items()
            if any(word in meaning for word in _DEPARTURE_WORDS)
        ]
        return np.isfinite(flag) & (flag != 0) & ~np.isin(flag, departure)


def quantity_of(row: str) -> str:
    """The observed quantity of a row of observations in analysis.nc."""
    return row.partition("_at_")[0]


@contextmanager
def open_run(directory: Path, cell_count: int, window_end_hour: int = 9) -> Iterator[RunData]:
    """Open the files of ``directory`` for reading.

    Without ``analysis.nc`` the window ends are the times of the open loop at ``window_end_hour`` UTC.
    """
    with ExitStack() as stack:
        datasets = {}
        for name in ("open_loop", "analysis", "truth"):
            path = directory / f"{name}.nc"
            datasets[name] = stack.enter_context(xr.open_dataset(path)) if path.exists() else None
            dataset = datasets[name]
            if dataset is not None and dataset.sizes.get("cell") != cell_count:
                raise InputError(
                    f"{path}: dimension cell has {dataset.sizes.get('cell')} entries, the run has {cell_count} cells"
                )
        if datasets["analysis"] is not None:
            time = datasets["analysis"]["time"].values
        elif datasets["open_loop"] is not None:
            time = datasets["open_loop"]["time"].values
            hour = (time.astype("datetime64[h]") - time.astype("datetime64[D]")).astype(int)
            time = time[hour == window_end_hour]
        else:
            raise InputError(f"{directory}: neither open_loop.nc nor analysis.nc is there, run those stages first")
        yield RunData(directory, time.astype("datetime64[s]"), cell_count, **datasets)


def _values(array: xr.DataArray) -> np.ndarray | None:
    values = np.asarray(array.values, dtype=np.float64)
    return values if np.isfinite(values).any() else None
