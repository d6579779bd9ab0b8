"""The choices of the land model."""

from dataclasses import dataclass

from dalearn.errors import InputError
from dalearn.land.canopy import CANOPY_SCHEMES
from dalearn.land.radiation import ALBEDO_SCHEMES
from dalearn.land.runoff import RUNOFF_SCHEMES
from dalearn.land.snow_layers import LAYER_COUNTS as SNOW_LAYER_COUNTS

PHOTOSYNTHESIS_SCHEMES = ("NIT", "NCB", "AST", "NON")


@dataclass(frozen=True)
class LandOptions:
    """Choices of the land model, with the SURFEX defaults.

    Attributes:
        time_step: ISBA time step in s (XTSTEP_SURF).
        photosynthesis: CPHOTO: "NIT" (A-gs, leaves grow; three biomass pools), "NCB" (the same with roots and wood:
            six pools), "AST" (A-gs, prescribed leaf area) or "NON" (Jarvis stomata, prescribed leaf area, no carbon).
        canopy: "three_point" (LTR_ML=F, Calvet et al. 1998) or "multilayer" (LTR_ML=T, Carrer et al. 2013).
        albedo: soil albedo CALBEDO: "DRY", "WET", "MEAN", "EVOL", or "CM13" (maps, which the parameters then hold).
        runoff: CRUNOFF: "WSAT", "DT92", or "SGH" (topography, which the parameters then hold).
        runoff_exponent: B of DT92 (XUNIF_RUNOFFB).
        horton: runoff of rain beyond the infiltration capacity (CHORT='SGH').
        subgrid_rain: rain exponentially distributed over the cell (CRAIN='SGH').
        snow_layers: of the explicit snow scheme ISBA-ES, 12 as in SURFEX or 3 for speed; 0 for no snow scheme, when
            the forcing must have no snowfall.
    """

    time_step: float = 1800.0
    photosynthesis: str = "NIT"
    canopy: str = "three_point"
    albedo: str = "DRY"
    runoff: str = "WSAT"
    runoff_exponent: float = 0.5
    horton: bool = False
    subgrid_rain: bool = False
    snow_layers: int = 0

    def __post_init__(self) -> None:
        choices = (
            ("photosynthesis", PHOTOSYNTHESIS_SCHEMES),
            ("canopy", CANOPY_SCHEMES),
            ("albedo", ALBEDO_SCHEMES),
            ("runoff", RUNOFF_SCHEMES),
        )
        for name, known in choices:
            value = getattr(self, name)
            if value not in known:
                raise InputError(f"land.{name}: {value!r} is not known, choose one of {', '.join(known)}")
        if self.snow_layers not in (0, *SNOW_LAYER_COUNTS):
            raise InputError(f"land.snow_layers: {self.snow_layers} is not known, choose one of 0, 3, 12")
        if self.time_step <= 0.0 or 86400.0 % self.time_step:
            raise InputError(f"land.time_step: {self.time_step} s does not divide a day, choose for instance 1800")

    @property
    def leaves_grow(self) -> bool:
        """Whether the leaf area index follows from the biomass; else it is prescribed for every decade."""
        return self.photosynthesis in ("NIT", "NCB")

    @property
    def energy_substeps(self) -> int:
        """Number of energy sub-steps of about 300 s (section 1.5)."""
        return max(1, int(self.time_step / 300.0 + 0.5))

    @property
    def water_substeps(self) -> int:
        """Number of water sub-steps of about 900 s (section 1.5)."""
        return 1 if self.time_step < 900.0 else max(2, int(self.time_step / 900.0 + 0.5))
