"""Trained inversions as CF netCDF files that anyone can read without this package.

With z = (x - predictor_mean) / predictor_std of the predictors x, in the order of ``predictor``, and the rows of the
a-priori class::

    moisture = target_mean + target_std (b2 + W2 . tanh(z W1 + b1)), kept within lower .. upper
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dalearn import io
from dalearn.errors import InputError
from dalearn.retrieval.database import PREDICTORS
from dalearn.retrieval.inversion import CLASSES, MOISTURE_EDGES, NDVI_EDGES, Inversion
from dalearn.retrieval.levenberg_marquardt import Weights

FORMULA = (
    "z = (x - predictor_mean) / predictor_std; moisture = target_mean + target_std (b2 + W2 . tanh(z W1 + b1)), "
    "kept within lower to upper"
)

EDGES = {"ndvi": NDVI_EDGES, "moisture": MOISTURE_EDGES}
_EDGE_NAMES = tuple(f"{axis}_edge" for axis in EDGES)

# variable -> axes, meaning
LAYOUT = {
    "W1": (("class", "predictor", "hidden"), "weights from the normalised predictors to the hidden layer"),
    "b1": (("class", "hidden"), "offsets of the hidden layer"),
    "W2": (("class", "hidden"), "weights from the hidden layer to the output"),
    "b2": (("class",), "offset of the output"),
    "predictor_mean": (("predictor",), "mean of the predictor in training"),
    "predictor_std": (("predictor",), "standard deviation of the predictor in training"),
    "predictor_minimum": (("predictor",), "smallest value of the predictor that is accepted"),
    "predictor_maximum": (("predictor",), "largest value of the predictor that is accepted"),
    "target_mean": (("class",), "mean of the moisture in training, m3 m-3"),
    "target_std": (("class",), "standard deviation of the moisture in training, m3 m-3"),
    "lower": (("class",), "smallest moisture of the class, m3 m-3"),
    "upper": (("class",), "largest moisture of the class, m3 m-3"),
    "error": (("class", "ndvi_class", "moisture_class"), "root mean square error on plots set aside, m3 m-3"),
}
_FIELDS = {"predictor_mean": "mean", "predictor_std": "std", "predictor_minimum": "minimum",
           "predictor_maximum": "maximum"}  # fmt: skip


def save_inversion(inversion: Inversion, path: Path | str, attributes: Mapping[str, Any] | None = None) -> None:
    """Write ``inversion``, whole or not at all.  ``attributes``: provenance; lists and mappings become JSON.

    Raises ``InputError`` when the file cannot be written.
    """
    own = {"title": "neural inversion of Sentinel-1 backscatter to surface soil moisture", "formula": FORMULA}
    given = {
        key: value if isinstance(value, str | int | float) and not isinstance(value, bool) else json.dumps(value)
        for key, value in (attributes or {}).items()
    }
    values = {
        name: getattr(inversion, _FIELDS.get(name, name)) for name in LAYOUT if name not in Weights.__annotations__
    }
    values |= {
        name: torch.stack([getattr(each, name) for each in inversion.weights]) for name in Weights.__annotations__
    }
    with io.writing(path, {**own, **given}) as dataset:
        for axis, length in zip(LAYOUT["W1"][0], values["W1"].shape, strict=True):
            dataset.createDimension(axis, length)
        for axis, edges in EDGES.items():
            dataset.createDimension(f"{axis}_class", len(edges) - 1)
            dataset.createDimension(f"{axis}_edge", len(edges))
            io.create_variable(dataset, f"{axis}_edge", (f"{axis}_edge",), "f8")[:] = edges
        for name, axis, words in (("predictor", "predictor", inversion.predictors), ("class_name", "class", CLASSES)):
            dataset.createVariable(name, str, (axis,))[:] = np.array(words, dtype=object)
        for name, (axes, meaning) in LAYOUT.items():
            io.create_variable(dataset, name, axes, "f8", attributes={"long_name": meaning})[...] = values[name].numpy()


def load_inversion(path: Path | str) -> Inversion:
    """The inversion stored in ``path``, predicting bit for bit as when it was saved.

    Raises ``InputError`` for a missing, damaged or foreign file, unknown predictors or classes.
    """
    with io.reading(path) as dataset:
        lacking = [name for name in ("predictor", "class_name", *_EDGE_NAMES, *LAYOUT) if name not in dataset.variables]
        if lacking:
            raise InputError(f"{path}: not an inversion ({lacking[0]} missing); make one with train/train_retrieval.py")
        predictors = tuple(str(name) for name in dataset["predictor"][:])
        classes = tuple(str(name) for name in dataset["class_name"][:])
        same = all(tuple(io.read_values(dataset, f"{axis}_edge")) == edges for axis, edges in EDGES.items())
        values = {name: torch.from_numpy(io.read_values(dataset, name)) for name in LAYOUT}
    if not set(predictors) <= set(PREDICTORS) or classes != CLASSES or not same:
        raise InputError(f"{path}: predictor, class_name or the edges are not of this version; train it again")
    empty = [name for name, value in values.items() if not bool(torch.isfinite(value).all())]
    if empty:
        raise InputError(f"{path}: variable {empty[0]} holds NaN; train it again")
    weights = tuple(
        Weights(*(values[name][number] for name in Weights.__annotations__)) for number in range(len(CLASSES))
    )  # fmt: skip
    others = {_FIELDS.get(name, name): value for name, value in values.items() if name not in Weights.__annotations__}
    return Inversion(predictors=predictors, weights=weights, **others)
