"""One quantity at the window ends: what was observed, and what each run says of it on the same samples."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from dalearn.evaluation.scores import common_samples

OPEN_LOOP = "OL"
FORECAST = " forecast"


@dataclass(frozen=True)
class Comparison:
    """A reference (observations, or the truth of a twin) and the runs scored against it.

    All arrays are (time, cell), float64, NaN = missing; ``time`` (time,) datetime64[s].  ``runs`` maps a label to
    its values; the open loop is always there as ``OPEN_LOOP``, an experiment as its name (the analysis) and, where
    the forecast is kept too, as ``forecast_label(name)``.  ``correlation_only`` marks a reference in other units
    than the model, for which RMSD and bias mean nothing.
    """

    quantity: str
    units: str
    reference: str
    time: np.ndarray
    observed: np.ndarray
    runs: Mapping[str, np.ndarray]
    correlation_only: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def common(self) -> "Comparison":
        """The same with NaN wherever the reference or any run is missing; itself, without a copy, where none is."""
        return self if self._complete else self._masked

    @cached_property
    def _complete(self) -> bool:
        return all(values.shape == self.observed.shape and np.isfinite(values).all() for values in self._series)

    @cached_property
    def _masked(self) -> "Comparison":
        observed, *runs = common_samples(*self._series)
        return Comparison(
            self.quantity, self.units, self.reference, self.time, observed,
            dict(zip(self.runs, runs, strict=True)), self.correlation_only, self.notes,
        )  # fmt: skip

    @property
    def _series(self) -> tuple[np.ndarray, ...]:
        return (self.observed, *self.runs.values())

    @property
    def sample_count(self) -> int:
        """Samples common to the reference and all runs, over all cells."""
        return int(np.isfinite(self.common.observed).sum())

    @property
    def experiments(self) -> list[str]:
        return [label for label in self.runs if label != OPEN_LOOP and not label.endswith(FORECAST)]


def forecast_label(experiment: str) -> str:
    """Label of the forecast of ``experiment``, before the increment of the same window."""
    return experiment + FORECAST
