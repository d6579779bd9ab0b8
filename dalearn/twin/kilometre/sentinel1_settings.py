"""What can be chosen about the soil moisture that Sentinel-1 tells of a 1 km region."""

from dataclasses import dataclass

from dalearn.errors import InputError


@dataclass(frozen=True)
class Sentinel1Settings:
    """How the radar sees the truth, and how its backscatter becomes moisture (``sentinel1.py``).

    Attributes:
        inversion: file of the trained inversion, relative to the configuration; null takes that of the checkout.
        interval: days between two passes over a cell.
        hour: UTC, of the passes.
        share: of the passes of which there is an image.
        incidence: degrees, at the western and at the eastern edge of the region.
        plots: 100 m plots of each cell, spread over its land covers.
        noise: dB, of the backscatter of a plot.
        cell_noise: dB, of the plots of a cell in an image in common: rows, dew, structure of the plants.
        calibration: dB, of an image, common to all its plots.
        ndvi_noise: of the NDVI of a plot.
        ndvi_soil, ndvi_full, ndvi_extinction: NDVI = full + (soil - full) exp(-extinction LAI).
        rms_height: cm, range between plots.
        moisture_spread: of a plot relative to the mean of its land cover in the cell, standard deviation.
        stem_start, stem_end: days of the year between which straw cereals are not retrieved: 21 March, 21 May.
        least_plots: retrievable plots without which a cell has no moisture.
        valid_share: of the retrievable plots of a cell that must be retrieved.
        karst_share: of a karst plot that is rock under thin soil.
        karst_level: dB, backscatter of this part when it is dry.
        karst_depth: m3 m-3, moisture of the soil at which it has fallen to 1/e.
        karst_noise: dB, of karst plots, besides ``noise``.
    """

    inversion: str | None = None
    interval: int = 6
    hour: float = 17.8
    share: float = 0.9
    incidence: tuple[float, float] = (34.0, 42.0)
    plots: int = 10
    noise: float = 0.7
    cell_noise: float = 0.7
    calibration: float = 0.3
    ndvi_noise: float = 0.04
    ndvi_soil: float = 0.17
    ndvi_full: float = 0.85
    ndvi_extinction: float = 0.5
    rms_height: tuple[float, float] = (0.8, 2.5)
    moisture_spread: float = 0.15
    stem_start: int = 80
    stem_end: int = 141
    least_plots: int = 2
    valid_share: float = 0.25
    karst_share: float = 0.5
    karst_level: float = -9.0
    karst_depth: float = 0.08
    karst_noise: float = 1.0

    def __post_init__(self) -> None:
        for name in ("interval", "plots", "least_plots"):
            if getattr(self, name) < 1:
                raise InputError(f"twin.sentinel1.{name}: {getattr(self, name)} is not 1 or more")
        for name in ("share", "valid_share", "karst_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InputError(f"twin.sentinel1.{name}: {getattr(self, name)} is not a share, choose 0..1")
        if not 0.0 <= self.hour < 24.0:
            raise InputError(f"twin.sentinel1.hour: {self.hour} is not an hour, choose 0..24")
