"""What a configuration can say about the ensemble of the scheme ``ensrf``."""

from dataclasses import dataclass, field
from typing import Literal

from dalearn.assimilation.control import ControlVector
from dalearn.errors import InputError


def _soil_moisture_noise() -> dict[str, float]:
    return {"WG2": 0.1} | {f"WG{layer}": 0.02 for layer in range(3, 9)}


@dataclass(frozen=True)
class EnsembleSettings:
    """The ensemble of the scheme ``ensrf``.

    The amplitudes with which LDAS-Monde ran its ensemble are not known here.  These are a choice: with the memory of
    the land surface the ensemble spreads to the size of the published background errors.

    Attributes:
        members: number of members.
        seed: of the noise; another seed is another ensemble.
        soil_moisture: standard deviation s of the noise per soil moisture control variable, as a fraction of dw, per
            day.
        leaf_area_index: the same for LAI, as a fraction of the LAI of the ensemble mean.
        correlation_time: tau, days; 0: white.
        initial_spread: size of the first noise, that of the ``background`` errors of the filter or of the ``noise``.
        inflation: factor on the deviations from the mean after an analysis, in the cells that had an observation.
        precipitation: standard deviation of the logarithm of the factor on rain and snow; 0: none.
    """

    members: int = 20
    seed: int = 0
    soil_moisture: dict[str, float] = field(default_factory=_soil_moisture_noise)
    leaf_area_index: float = 0.03
    correlation_time: float = 3.0
    initial_spread: Literal["background", "noise"] = "background"
    inflation: float = 1.0
    precipitation: float = 0.0

    def check(self, control: ControlVector) -> None:
        """``InputError`` for a number that makes no sense, or a control variable without noise."""
        missing = [name for name in control.moisture_names if name not in self.soil_moisture]
        if missing:
            raise InputError(f"noise of {', '.join(missing)} is not set: add it to ensemble.soil_moisture")
        if self.members < 2:
            raise InputError(f"ensemble.members is {self.members}: use 2 or more")
        if self.inflation <= 0:
            raise InputError(f"ensemble.inflation is {self.inflation}: use 1 for none, more to inflate")
        sizes = {f"soil_moisture.{name}": size for name, size in self.soil_moisture.items()}
        for name in ("leaf_area_index", "correlation_time", "precipitation"):
            sizes[name] = getattr(self, name)
        for name, size in sizes.items():
            if size < 0:
                raise InputError(f"ensemble.{name} is {size}: use 0 or more")
