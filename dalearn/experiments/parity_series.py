"""Keeping the series of a parity run for its figures."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dalearn.experiments.reference_case import ReferenceCase
from dalearn.experiments.reference_names import units_of

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

    def draw(self, folder: Path) -> list[Path]:
        """One figure per patch in ``folder``; returns their paths."""
        from dalearn.evaluation.parity_figure import ParityPanel, draw_parity  # seconds, for figures only
        from dalearn.evaluation.style import save_figure

        written = []
        model = {name: np.concatenate(blocks) for name, blocks in self._model.items()}
        reference = {name: np.concatenate(blocks) for name, blocks in self._reference.items()}
        for column, patch in enumerate(self.case.grid.patch_of_column.tolist()):
            panels = []
            for name in model:
                ours, theirs = (_of_patch(series[name], column) for series in (model, reference))
                if np.isfinite(theirs).any():
                    time = self.case.times[: len(ours)]
                    layers = [layer + 1 for layer in SHOWN_LAYERS[: ours.shape[1]]]
                    labels = [f"layer {layer}" for layer in layers] if ours.shape[1] > 1 else [""]
                    panels.append(ParityPanel(name, units_of(name), time, labels, theirs, ours))
            path = folder / f"parity_{self.case.name}_patch{patch}.png"
            written.append(save_figure(draw_parity(panels, f"{self.case.name}, patch {patch}"), path))
        return written


def _shown(values: np.ndarray) -> np.ndarray:
    """(row, [layer,] patch) without the layers that are not shown."""
    return values[:, [layer for layer in SHOWN_LAYERS if layer < values.shape[1]]] if values.ndim == 3 else values


def _of_patch(values: np.ndarray, column: int) -> np.ndarray:
    """(row, line) of one patch; a cell mean as it is."""
    chosen = values if values.ndim == 1 else values[..., column]
    return chosen.reshape(len(chosen), -1)
