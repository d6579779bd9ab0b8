"""The synthetic database: plots drawn over the ranges of S2MP, their backscatter, and what a sensor would tell of it.

Ranges and noise follow El Hajj et al. (2017, doi:10.3390/rs9121292) as remembered in ldas_sekf.md 7.2, items 3 and 4;
all inputs are drawn uniformly and independently.  The noise is Gaussian: in dB for the backscatter, which stands for
speckle, calibration and the error of the model; relative for NDVI.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dalearn.errors import InputError
from dalearn.retrieval.backscatter import POLARISATIONS, SOIL_MODELS, plot_backscatter

PREDICTORS = ("sigma0_VV", "sigma0_VH", "NDVI", "incidence_angle")


@dataclass(frozen=True)
class DatabaseSettings:
    """What the database covers.

    Attributes:
        samples: number of plots.
        seed: of all random numbers.
        soil_model: ``integral_equation`` or ``empirical``, see ``backscatter.py``.
        moisture, incidence_angle, rms_height, ndvi: ranges in m3 m-3, degrees, cm and 1.
        noise_VV, noise_VH: standard deviations in dB.
        noise_NDVI: standard deviation relative to NDVI.
    """

    samples: int = 40_000
    seed: int = 1
    soil_model: str = SOIL_MODELS[0]
    moisture: tuple[float, float] = (0.02, 0.40)
    incidence_angle: tuple[float, float] = (20.0, 45.0)
    rms_height: tuple[float, float] = (0.5, 4.0)
    ndvi: tuple[float, float] = (0.0, 0.75)
    noise_VV: float = 0.7
    noise_VH: float = 1.0
    noise_NDVI: float = 0.15

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise InputError(f"database setting samples is {self.samples}: it must be positive")
        for name in ("moisture", "incidence_angle", "rms_height", "ndvi"):
            low, high = getattr(self, name)
            if not 0.0 <= low < high:
                raise InputError(f"database setting {name} is {low:g} to {high:g}: give the lower limit first, from 0")
        for name in ("noise_VV", "noise_VH", "noise_NDVI"):
            if getattr(self, name) < 0.0:
                raise InputError(f"database setting {name} is {getattr(self, name):g}: it must not be negative")


@dataclass(frozen=True, eq=False)
class Database:
    """Plots: ``moisture`` (sample,) in m3 m-3, ``observed`` (sample, 4) of ``PREDICTORS`` with noise, ``ndvi`` and
    ``rms_height`` (sample,) without.
    """

    moisture: Tensor
    observed: Tensor
    ndvi: Tensor
    rms_height: Tensor

    def __len__(self) -> int:
        return len(self.moisture)

    def predictors(self, names: tuple[str, ...]) -> Tensor:
        """(sample, n) the observed ``names``."""
        return self.observed[:, [PREDICTORS.index(name) for name in names]]


def make_database(settings: DatabaseSettings) -> Database:
    """The database of ``settings``, in float64; the same settings give the same numbers."""
    generator = torch.Generator().manual_seed(settings.seed)

    def uniform(limits: tuple[float, float]) -> Tensor:
        share = torch.rand(settings.samples, generator=generator, dtype=torch.float64)
        return limits[0] + (limits[1] - limits[0]) * share

    def normal() -> Tensor:
        return torch.randn(settings.samples, generator=generator, dtype=torch.float64)

    moisture, angle = uniform(settings.moisture), uniform(settings.incidence_angle)
    height, ndvi = uniform(settings.rms_height), uniform(settings.ndvi)
    seen = []
    for polarisation, noise in zip(POLARISATIONS, (settings.noise_VV, settings.noise_VH), strict=True):
        sigma0 = plot_backscatter(moisture, ndvi, angle, height, polarisation, settings.soil_model)
        seen.append(sigma0 + noise * normal())
    seen += [ndvi * (1.0 + settings.noise_NDVI * normal()), angle]
    return Database(moisture, torch.stack(seen, dim=-1), ndvi, height)
