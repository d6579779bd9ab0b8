"""Keeping the series of a parity run for its figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dalearn.experiments.reference_case import ReferenceCase
from dalearn.experiments.reference_names import units_of

if TYPE_CHECKING:
    from dalearn.evaluation.parity_figure import ParityPanel

SHOWN_LAYERS = (0, 1, 3, 7)  # of the layered variables: 1, 2, 4 and 8


class SeriesRecorder:
    """Both series of one case: of layered variables only ``SHOWN_LAYERS``."""

    def __init__(self, case: ReferenceCase) -> None:
        self.case = case
        self._model: dict[str, list[np.ndarray]] = {}
        self._reference: dict[str, list[np.ndarray]] = {}

    def add(self, model: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray]) -> None:
        """Take in rows, SURFEX name -> (row, [layer,] patch), or (row,) of the cell."""
        for kept, series in ((self._model, model), (self._reference, reference)):
            for name, values in series.items():
                kept.setdefault(name, []).append(_shown(values))

    def panels(self, column: int) -> list["ParityPanel"]:
        """What is defined in a column (patch)."""
        from dalearn.evaluation.parity_figure import ParityPanel  # seconds, for figures only

        found = []
        for name in self._model:
            model, reference = (
                _of_patch(np.concatenate(kept[name]), column) for kept in (self._model, self._reference)
            )
            if np.isfinite(reference).any():
                layers = SHOWN_LAYERS[: model.shape[1]]
                labels = [f"layer {layer + 1}" for layer in layers] if len(layers) > 1 else [""]
                time = self.case.times[: len(model)]
                found.append(ParityPanel(name, units_of(name), time, labels, reference, model))
        return found

    def draw(self, folder: Path) -> list[Path]:
        """One figure per patch in ``folder``; returns their paths."""
        from dalearn.evaluation.parity_figure import draw_parity
        from dalearn.evaluation.style import save_figure

        written = []
        for column, patch in enumerate(self.case.grid.patch_of_column.tolist()):
            path = folder / f"parity_{self.case.name}_patch{patch}.png"
            figure = draw_parity(self.panels(column), f"{self.case.name}, patch {patch}")
            written.append(save_figure(figure, path))
        return written


def _shown(values: np.ndarray) -> np.ndarray:
    """(row, [layer,] patch) without the layers that are not shown."""
    return values[:, [layer for layer in SHOWN_LAYERS if layer < values.shape[1]]] if values.ndim == 3 else values


def _of_patch(values: np.ndarray, column: int) -> np.ndarray:
    """(row, line) of one patch; a cell mean as it is."""
    chosen = values if values.ndim == 1 else values[..., column]
    return chosen.reshape(len(chosen), -1)
