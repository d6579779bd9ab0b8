"""What the instruments of the twin report about the truth: with the right operator, at the right times, with errors.

Frozen soil is left out of radar and probe records, as the masks of Corchia et al. (2023, 2.7) do.
"""

import numpy as np

from dalearn.observations.exponential_filter import soil_water_index
from dalearn.observations.observations import Observations
from dalearn.twin.backscatter import Backscatter
from dalearn.twin.sampling import LAI_HOUR, Samples, at, overpasses, regular
from dalearn.twin.settings import TwinSettings
from dalearn.twin.surface import SurfaceMap
from dalearn.twin.truth_run import TruthRun

FREEZING = 273.15  # K, soil colder than this is masked
SMALLEST_LAI = 0.05  # m2 m-2, of an observation
SWI_TIME_SCALE = 1.0  # days, of SWI-001
PROBE_SHARE = 5.0 / 9.0  # weight of the layer 4-10 cm at 5 cm between the layer centres at 2.5 and 7 cm


def observe_sigma0(
    truth: TruthRun,
    surface: SurfaceMap,
    backscatter: Backscatter,
    settings: TwinSettings,
    generator: np.random.Generator,
) -> Observations:
    """Backscatter (dB) at the overpasses."""
    samples = _thawed(truth, overpasses(settings, surface.longitude))
    exact = backscatter.sigma0(
        _at(truth, "WG2", samples),
        _at(truth, "TG2", samples),
        _at(truth, "LAI", samples),
        _day_of_year(samples.time),
        samples.cell,
    )
    noise = settings.sigma0_error * generator.standard_normal(len(samples))
    return _observations("sigma0", "dB", surface, samples, exact + noise, settings.sigma0_error)


def observe_lai(
    truth: TruthRun, surface: SurfaceMap, settings: TwinSettings, generator: np.random.Generator
) -> Observations:
    """LAI (m2 m-2) of every cell at intervals, with an error proportional to its value, not below the floor."""
    cells = np.arange(surface.cell_count)
    samples = regular(settings, 24.0 * settings.lai_interval, LAI_HOUR, cells)
    exact = _at(truth, "LAI", samples)
    error = np.maximum(settings.lai_error * exact, settings.lai_error_floor)
    value = np.maximum(exact + error * generator.standard_normal(len(samples)), SMALLEST_LAI)
    clear = np.ones(len(samples), bool)
    if settings.lai_share < 1.0:
        clear = generator.random(len(samples)) < settings.lai_share
    stated = np.maximum(settings.lai_error * value, settings.lai_error_floor)
    seen = Samples(samples.time[clear], samples.cell[clear])
    return _observations("LAI", "m2 m-2", surface, seen, value[clear], stated[clear])


def observe_satellite_ssm(
    truth: TruthRun, surface: SurfaceMap, settings: TwinSettings, generator: np.random.Generator
) -> Observations:
    """Daily soil wetness (% of the range of the cell) like the Copernicus SWI-001, biased against the model.

    The retrieval stretches the true moisture between its extremes, with errors in both ends of the scale, adds noise
    and goes through an exponential filter of one day.
    """
    cells = np.arange(surface.cell_count)
    samples = _thawed(truth, regular(settings, 24.0, LAI_HOUR, cells))
    moisture = truth.values["WG2"]
    dry, wet = np.percentile(moisture, (1.0, 99.0), axis=0)
    dry = dry + 0.1 * (wet - dry) * generator.standard_normal(surface.cell_count)
    wet = wet + 0.1 * (wet - dry) * generator.standard_normal(surface.cell_count)
    index = 100.0 * (at(moisture, truth.time, samples) - dry[samples.cell]) / (wet - dry)[samples.cell]
    noisy = np.clip(index + settings.satellite_ssm_error * generator.standard_normal(len(samples)), 0.0, 100.0)
    retrieved = _observations("SSM", "%", surface, samples, noisy, settings.satellite_ssm_error)
    return soil_water_index(retrieved, SWI_TIME_SCALE)


def observe_in_situ(
    truth: TruthRun, surface: SurfaceMap, settings: TwinSettings, generator: np.random.Generator
) -> Observations:
    """Soil moisture (m3 m-3) of probes at 5 cm in the station cells, each with a bias and a scale of its own."""
    stations = np.flatnonzero(surface.name != "")
    samples = _thawed(truth, regular(settings, settings.in_situ_interval, 0.0, stations))
    upper, lower = _at(truth, "WG2", samples), _at(truth, "WG3", samples)
    exact = (1.0 - PROBE_SHARE) * upper + PROBE_SHARE * lower
    bias = 0.03 * generator.standard_normal(surface.cell_count)[samples.cell]
    scale = np.exp(0.1 * generator.standard_normal(surface.cell_count))[samples.cell]
    noise = settings.in_situ_error * generator.standard_normal(len(samples))
    value = np.clip(bias + scale * exact + noise, 0.01, 0.6)
    return _observations("SSM", "m3 m-3", surface, samples, value, settings.in_situ_error)


def _at(truth: TruthRun, name: str, samples: Samples) -> np.ndarray:
    return at(truth.values[name], truth.time, samples)


def _thawed(truth: TruthRun, samples: Samples) -> Samples:
    keep = _at(truth, "TG2", samples) > FREEZING
    return Samples(samples.time[keep], samples.cell[keep])


def _day_of_year(time: np.ndarray) -> np.ndarray:
    return (time.astype("datetime64[D]") - time.astype("datetime64[Y]").astype("datetime64[D]")).astype(float) + 1.0


def _observations(
    quantity: str, units: str, surface: SurfaceMap, samples: Samples, value: np.ndarray, error: np.ndarray | float
) -> Observations:
    return Observations(
        quantity=quantity,
        units=units,
        time=samples.time,
        cell=samples.cell.astype(np.int64),
        value=value,
        error=np.broadcast_to(error, value.shape).copy(),
        latitude=surface.latitude,
        longitude=surface.longitude,
        source="twin",
    )
