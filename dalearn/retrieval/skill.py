"""Skill of an inversion on a synthetic database that it has not seen: overall, by class and by what is known before."""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from dalearn.retrieval.database import Database
from dalearn.retrieval.inversion import DRY, MOISTURE_EDGES, NDVI_EDGES, WET, Inversion, class_of

PLOTS_OF_CELL = 60
A_PRIORI = {"none": None, "true class": 0.0, "true class but for 20 %": 0.2}

Row = dict[str, float | int | str]


def skill_table(inversion: Inversion, database: Database, seed: int = 7) -> list[Row]:
    """Rows of scores in m3 m-3, for every kind of knowledge of ``A_PRIORI`` and classes of the true NDVI and moisture.

    The last row of each is of means over ``PLOTS_OF_CELL`` plots of nearly the same moisture: what is left when the
    errors of the plots of a cell are independent.  The a-priori class is that of the true moisture; a share of the
    plots is told the other one, at random.
    """
    generator = torch.Generator().manual_seed(seed)
    coin, wrong = torch.rand(2, len(database), generator=generator)
    rows = []
    for name, share in A_PRIORI.items():
        known = None
        if share is not None:
            known = class_of(database.moisture, coin < 0.5)
            known = torch.where(wrong < share, DRY + WET - known, known)
        moisture, error, code = inversion(database.predictors(inversion.predictors), known)
        for label, inside in _classes(database):
            use = inside & (code == 0)
            head: Row = {"inputs": " ".join(inversion.predictors), "a_priori": name, "plots": label}
            rejected = float((inside & (code != 0)).sum() / inside.sum())
            rows.append({**head, **scores(moisture[use], database.moisture[use], error[use]), "rejected": rejected})
        use = torch.nonzero(code == 0).squeeze(1)
        use = use[torch.argsort(database.moisture[use])][: len(use) // PLOTS_OF_CELL * PLOTS_OF_CELL]
        cells = (values[use].reshape(-1, PLOTS_OF_CELL) for values in (moisture, database.moisture, error.square()))
        mean, truth, squared = (values.mean(dim=1) for values in cells)
        head = {"inputs": " ".join(inversion.predictors), "a_priori": name, "plots": f"means of {PLOTS_OF_CELL}"}
        rows.append({**head, **scores(mean, truth, squared.sqrt()), "rejected": float((code != 0).double().mean())})
    return rows


def scores(estimate: Tensor, truth: Tensor, error: Tensor) -> Row:
    """N, RMSE, bias, unbiased RMSE, R, and the root mean square of the ``error`` told beforehand; all (sample,)."""
    difference = estimate - truth
    bias, rmse = float(difference.mean()), float(difference.square().mean().sqrt())
    return {
        "N": len(difference),
        "RMSE": rmse,
        "bias": bias,
        "ubRMSE": max(rmse**2 - bias**2, 0.0) ** 0.5,
        "R": float(torch.corrcoef(torch.stack([estimate, truth]))[0, 1]),
        "told_error": float(error.square().mean().sqrt()),
    }


def _classes(database: Database) -> Iterator[tuple[str, Tensor]]:
    yield "all", torch.ones(len(database), dtype=torch.bool)
    for name, values, edges in (("NDVI", database.ndvi, NDVI_EDGES), ("SSM", database.moisture, MOISTURE_EDGES)):
        for low, high in pairwise(edges):
            yield f"{name} {low:g}-{high:g}", (values >= low) & (values < high)
