"""The neural inversion: backscatter, NDVI and incidence -> surface soil moisture, with or without an a-priori class.

One network per class: ``none`` knows the whole range of moisture, ``dry`` (dry to slightly wet) only what is up to
``DRY_LIMIT``, ``wet`` (very wet) only what is above ``WET_LIMIT``; the two overlap.  As in S2MP (El Hajj et al. 2017,
doi:10.3390/rs9121292) each has one hidden layer of tangent sigmoids and a linear output and is trained by Levenberg and
Marquardt; the limits are choices of this project.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dalearn.errors import InputError
from dalearn.retrieval.database import PREDICTORS, Database, DatabaseSettings
from dalearn.retrieval.levenberg_marquardt import Weights, fit, initial_weights

CLASSES = ("none", "dry", "wet")
NONE, DRY, WET = range(3)
DRY_LIMIT, WET_LIMIT = 0.25, 0.20  # m3 m-3
NDVI_EDGES = (0.0, 0.25, 0.5, 0.75)
MOISTURE_EDGES = (0.02, 0.1, 0.2, 0.3, 0.4)  # m3 m-3
FEWEST_IN_CLASS = 30
QUALITY = ("retrieved", "missing", "ndvi_out_of_range", "incidence_out_of_range", "sigma0_out_of_range")


def moisture_range(number: int, whole: tuple[float, float]) -> tuple[float, float]:
    """Range of moisture (m3 m-3) that the network of a class was trained for."""
    low, high = whole
    return (low, min(high, DRY_LIMIT)) if number == DRY else (max(low, WET_LIMIT), high) if number == WET else whole


@dataclass(frozen=True, eq=False)
class Inversion:
    """Networks that predict the moisture.

    ``predictors`` are among ``PREDICTORS``.  ``weights`` of each of ``CLASSES``; ``mean`` and ``std`` (predictor,)
    make z-scores of the predictors, ``minimum`` and ``maximum`` (predictor,) are their range in training;
    ``target_mean``, ``target_std``, ``lower``, ``upper`` (class,) belong to the moisture; ``error`` (class, NDVI class,
    moisture class) is the root mean square error on plots set aside, with classes of the observed NDVI between
    ``NDVI_EDGES`` and of the retrieved moisture between ``MOISTURE_EDGES``.
    """

    predictors: tuple[str, ...]
    weights: tuple[Weights, ...]
    mean: Tensor
    std: Tensor
    minimum: Tensor
    maximum: Tensor
    target_mean: Tensor
    target_std: Tensor
    lower: Tensor
    upper: Tensor
    error: Tensor

    def quality(self, observed: Tensor) -> Tensor:
        """(...,) int8 codes of ``QUALITY`` of predictors ``observed`` (..., predictor); the first that applies."""
        outside = ~((observed >= self.minimum) & (observed <= self.maximum))
        code = torch.zeros(observed.shape[:-1], dtype=torch.int8)
        for column, name in reversed(list(enumerate(self.predictors))):
            word = "sigma0" if name.startswith("sigma0") else name.lower().removesuffix("_angle")
            code[outside[..., column]] = QUALITY.index(f"{word}_out_of_range")
        code[~torch.isfinite(observed).all(dim=-1)] = QUALITY.index("missing")
        return code

    def __call__(self, observed: Tensor, a_priori: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Moisture and the standard deviation of its error (m3 m-3), NaN where there is none, and codes of ``QUALITY``.

        ``observed`` (..., predictor) in the order of ``predictors``, backscatter in dB, incidence in degrees;
        ``a_priori`` (...,) numbers of ``CLASSES``, ``none`` without.  The moisture stays within the range of training.
        """
        if observed.shape[-1] != len(self.predictors):
            raise ValueError(f"expected the predictors {' '.join(self.predictors)}, got {observed.shape[-1]} of them")
        observed = observed.to(torch.float64)
        known = torch.zeros(observed.shape[:-1], dtype=torch.int64) if a_priori is None else a_priori.to(torch.int64)
        if not bool(((known >= 0) & (known < len(CLASSES))).all()):
            raise InputError(f"a-priori class: use 0 to {len(CLASSES) - 1} ({', '.join(CLASSES)})")
        code = self.quality(observed)
        scores = (observed.nan_to_num(0.0) - self.mean) / self.std
        moisture = torch.full(code.shape, torch.nan, dtype=torch.float64)
        for number, weights in enumerate(self.weights):
            at = (known == number) & (code == 0)
            value = self.target_mean[number] + self.target_std[number] * weights(scores[at])
            moisture[at] = value.clamp(float(self.lower[number]), float(self.upper[number]))
        ndvi = observed[..., self.predictors.index("NDVI")].nan_to_num(0.0)
        error = self.error[known, _group(ndvi, NDVI_EDGES), _group(moisture.nan_to_num(0.0), MOISTURE_EDGES)]
        return moisture, torch.where(code == 0, error, torch.nan), code


@dataclass(frozen=True)
class InversionSettings:
    """How to train.

    Attributes:
        polarisations: VV, VH or both.
        hidden: units of the hidden layer.
        iterations: at most so many steps of Levenberg and Marquardt.
        starts: random starts, of which the best on the plots set aside is kept.
        validation_share: of the plots, set aside.
        seed: of the weights and of the plots set aside.
    """

    polarisations: tuple[str, ...] = ("VV",)
    hidden: int = 20
    iterations: int = 60
    starts: int = 2
    validation_share: float = 0.25
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("hidden", "iterations", "starts"):
            if getattr(self, name) < 1:
                raise InputError(f"inversion setting {name} is {getattr(self, name)}: it must be positive")
        if not 0.05 <= self.validation_share <= 0.5:
            raise InputError(f"inversion setting validation_share is {self.validation_share}: choose 0.05 to 0.5")
        if not self.polarisations or any(f"sigma0_{name}" not in PREDICTORS for name in self.polarisations):
            raise InputError(f"inversion setting polarisations is {list(self.polarisations)}: choose VV, VH or both")

    @property
    def predictors(self) -> tuple[str, ...]:
        wanted = {f"sigma0_{name}" for name in self.polarisations}
        return tuple(name for name in PREDICTORS if name in wanted or not name.startswith("sigma0"))


def train_inversion(database: Database, covers: DatabaseSettings, settings: InversionSettings) -> Inversion:
    """Networks for all ``CLASSES`` trained on ``database``, which was made with ``covers``.

    The classes of the training samples are those of their true moisture.  Raises ``InputError`` when a class has
    fewer samples than weights.
    """
    names = settings.predictors
    generator = torch.Generator().manual_seed(settings.seed)
    aside = torch.rand(len(database), generator=generator) < settings.validation_share
    observed, moisture = database.predictors(names), database.moisture
    mean, std = observed[~aside].mean(dim=0), observed[~aside].std(dim=0)
    scores = (observed - mean) / std
    weights, errors, rows = [], [], []
    for number, word in enumerate(CLASSES):
        low, high = moisture_range(number, covers.moisture)
        inside = (moisture >= low) & (moisture <= high)
        use, check = inside & ~aside, inside & aside
        if int(use.sum()) < 10 * settings.hidden * len(names):
            raise InputError(f"database: {int(use.sum())} plots of class {word} are too few; take more samples")
        centre, scale = moisture[use].mean(), moisture[use].std()
        target = (moisture - centre) / scale
        found = [
            fit(
                initial_weights(len(names), settings.hidden, generator),
                scores[use], target[use], (scores[check], target[check]), settings.iterations,
            )
            for _ in range(settings.starts)
        ]  # fmt: skip
        best, _ = min(found, key=lambda result: min(error for _, error in result[1]))
        weights.append(best)
        estimate = (centre + scale * best(scores[check])).clamp(low, high)
        errors.append(_error_table(estimate - moisture[check], observed[check, names.index("NDVI")], estimate))
        rows.append((float(centre), float(scale), low, high))
    minimum, maximum = observed[~aside].amin(dim=0), observed[~aside].amax(dim=0)
    for name, limits in (("NDVI", covers.ndvi), ("incidence_angle", covers.incidence_angle)):
        column = names.index(name)
        minimum[column], maximum[column] = limits
    centres, scales, lows, highs = torch.tensor(rows, dtype=torch.float64).unbind(dim=1)
    return Inversion(
        names, tuple(weights), mean, std, minimum, maximum, centres, scales, lows, highs, torch.stack(errors)
    )  # fmt: skip


def _group(values: Tensor, edges: tuple[float, ...]) -> Tensor:
    """Number of the class of ``values`` between ``edges``; the outer classes have no outer limits."""
    return torch.bucketize(values.contiguous(), torch.tensor(edges[1:-1], dtype=values.dtype))


def _error_table(error: Tensor, ndvi: Tensor, estimate: Tensor) -> Tensor:
    """(NDVI class, moisture class) root mean square of ``error`` (sample,), by the observed and estimated values.

    A class with fewer than ``FEWEST_IN_CLASS`` samples takes that of its NDVI class, and this that of all samples.
    """
    rows, columns = len(NDVI_EDGES) - 1, len(MOISTURE_EDGES) - 1
    row, column = _group(ndvi, NDVI_EDGES), _group(estimate, MOISTURE_EDGES)
    squares = torch.zeros(rows * columns, dtype=error.dtype).index_add_(0, row * columns + column, error.square())
    number = torch.bincount(row * columns + column, minlength=rows * columns)
    squares, number = squares.reshape(rows, columns), number.reshape(rows, columns)
    in_row = number.sum(dim=1)
    of_row = torch.where(in_row >= FEWEST_IN_CLASS, squares.sum(dim=1) / in_row.clamp(min=1), error.square().mean())
    table = torch.where(number >= FEWEST_IN_CLASS, squares / number.clamp(min=1), of_row.unsqueeze(1))
    return table.sqrt()


def class_of(moisture: Tensor, coin: Tensor) -> Tensor:
    """The a-priori class of a true ``moisture`` (m3 m-3); where both fit, ``coin`` (bool) says wet."""
    wet = (moisture > DRY_LIMIT) | ((moisture > WET_LIMIT) & coin)
    return torch.where(wet, WET, DRY)
