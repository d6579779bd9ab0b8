"""The course of the day behind daily values: what docs/forcing.md describes.

Arrays are (day,) or (day, 24); hour k = 1..24 is the stamp k hours after the start of the local day, fluxes are means
over the hour that ends there.
"""

import numpy as np

NIGHT_DECAY = 2.2  # Parton and Logan (1981, doi:10.1016/0002-1571(81)90105-9), table 1
AFTERNOON_LAG = 1.86  # hours, table 1 there
LATEST_MAXIMUM = 2.5  # hours after solar noon
MINIMUM_BOUNDS = (-9.0, -3.0)  # hours from solar noon between which the sun may rise
FREE_SHARE = 1e-3  # of the daily range, kept between the extremes and all other hours
MIDNIGHT_HOURS = 6.0  # over which the adjustment to the mean fades towards midnight
BISECTIONS = 60
HOURS = np.arange(1, 25)


def solar_hours(date: np.ndarray, latitude: float, longitude: float, utc_offset: float) -> tuple[np.ndarray, float]:
    """Sunrise (day,) and solar noon in hours of the local day; ``date`` (day,) datetime64.

    The declination is that of Cooper (1969, doi:10.1016/0038-092X(69)90047-4); the sunrise lies 3 to 9 hours before
    noon, also in polar day and night.
    """
    noon = 12.0 - longitude / 15.0 + utc_offset
    day = (date.astype("datetime64[D]") - date.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.float64)
    declination = np.deg2rad(23.45) * np.sin(2.0 * np.pi * (285.0 + day) / 365.0)
    cosine = -np.tan(np.deg2rad(np.clip(latitude, -89.0, 89.0))) * np.tan(declination)
    half_day = np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0))) / 15.0
    return noon + np.clip(-half_day, *MINIMUM_BOUNDS), noon


def temperature_course(
    minimum: np.ndarray, maximum: np.ndarray, mean: np.ndarray, sunrise: np.ndarray, noon: float
) -> tuple[np.ndarray, float]:
    """Temperature at the 24 hours, (day, 24), and at the start of the first day.

    Rises along half a cosine from the minimum near sunrise to the maximum in the afternoon, falls along a cosine until
    sunset and then exponentially towards the minimum of the next morning, across midnight (Parton and Logan 1981).  An
    exponent of each day, fading towards midnight, then moves the curve between the extremes so that the mean of the
    24 hours is ``mean``; minimum and maximum are met.  A mean that no curve with these extremes can have (closer than
    1/24 of the range to one of them) is approached.
    """
    rises = np.clip(np.rint(sunrise), 1, 20).astype(int)
    peaks = np.clip(np.rint(noon + LATEST_MAXIMUM), rises + 2, 23).astype(int)
    sets = np.maximum(2.0 * noon - sunrise, peaks)
    curve, start = _first_guess(minimum, maximum, rises, peaks, sets)
    width = maximum - minimum
    safe = np.where(width > 0.0, width, 1.0)
    share = np.clip((curve - minimum[:, None]) / safe[:, None], FREE_SHARE, 1.0 - FREE_SHARE)
    lowest, highest = rises[:, None] == HOURS, peaks[:, None] == HOURS
    share = np.where(lowest, 0.0, np.where(highest, 1.0, share))
    wanted = np.clip((mean - minimum) / safe, 0.0, 1.0)
    fade = np.minimum(1.0, np.minimum(HOURS, 24 - HOURS) / MIDNIGHT_HOURS)
    share = _adjusted(share, wanted, fade, largest=3.0)
    share = _adjusted(share, wanted, np.ones(24), largest=12.0)
    return minimum[:, None] + width[:, None] * share, float(np.clip(start, minimum[0], maximum[0]))


def _first_guess(
    minimum: np.ndarray, maximum: np.ndarray, rises: np.ndarray, peaks: np.ndarray, sets: np.ndarray
) -> tuple[np.ndarray, float]:
    """The curve before the mean is met, (day, 24), and its value at the start of the first day."""

    def before(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values[:1], values[:-1]])[:, None]

    def after(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values[1:], values[-1:]])[:, None]

    low, high, rise, peak, dusk = (values[:, None] for values in (minimum, maximum, rises, peaks, sets))
    clock = np.concatenate([[0], HOURS])[None]
    morning = _cooling(clock, before(maximum), low, before(peaks) - 24, before(sets) - 24, rise)
    evening = _cooling(clock, high, after(minimum), peak, dusk, after(rises) + 24)
    phase = np.clip((clock - rise) / (peak - rise), 0.0, 1.0)
    day = low + (high - low) * 0.5 * (1.0 - np.cos(np.pi * phase))
    curve = np.where(clock < rise, morning, np.where(clock > peak, evening, day))
    return curve[:, 1:], float(curve[0, 0])


def _cooling(
    hour: np.ndarray, warm: np.ndarray, cold: np.ndarray, peak: np.ndarray, sunset: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """The fall from ``warm`` at ``peak`` to ``cold`` at ``end``, the next sunrise."""
    quarter = sunset - peak + 2.0 * AFTERNOON_LAG  # of the period of the cosine
    afternoon = np.cos(0.5 * np.pi * np.clip((hour - peak) / quarter, 0.0, 1.0))
    at_sunset = np.cos(0.5 * np.pi * (sunset - peak) / quarter)
    phase = np.clip((hour - sunset) / (end - sunset), 0.0, 1.0)
    night = at_sunset * (np.exp(-NIGHT_DECAY * phase) - np.exp(-NIGHT_DECAY)) / (1.0 - np.exp(-NIGHT_DECAY))
    return cold + (warm - cold) * np.where(hour < sunset, afternoon, night)


def _adjusted(share: np.ndarray, wanted: np.ndarray, fade: np.ndarray, largest: float) -> np.ndarray:
    """``share ** exp(k fade)``, k of each day within +-``largest`` such that its mean is nearest to ``wanted``."""
    low, high = np.full(len(share), -largest), np.full(len(share), largest)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        too_warm = (share ** np.exp(middle[:, None] * fade)).mean(axis=1) > wanted
        low, high = np.where(too_warm, middle, low), np.where(too_warm, high, middle)
    return share ** np.exp(0.5 * (low + high)[:, None] * fade)


def rain_course(amount: np.ndarray, date: np.ndarray) -> np.ndarray:
    """Daily ``amount`` (day,) in each of the 24 hours, (day, 24), same units, same sum.

    One event of ceil(2 sqrt(mm)) hours, rising and falling linearly; its first hour is drawn from the number of the
    day, so that it does not depend on the period.
    """
    length = np.clip(np.ceil(2.0 * np.sqrt(amount)), 1, 24)
    first = np.floor(_uniform(date) * (25.0 - length))
    inside = HOURS[None] - 0.5 - first[:, None]
    weight = np.clip(np.minimum(inside, length[:, None] - inside), 0.0, None)
    return amount[:, None] * weight / weight.sum(axis=1, keepdims=True)


def _uniform(date: np.ndarray) -> np.ndarray:
    """A number in [0, 1) for every day: the mixing function of SplitMix64 (Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        z = date.astype("datetime64[D]").astype(np.int64).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2.0**53


def vapour_course(saturation: np.ndarray, relative_humidity: np.ndarray) -> np.ndarray:
    """Vapour pressure (day, 24) that is constant in the day save where it would exceed ``saturation`` (day, 24), Pa.

    The constant is such that the mean relative humidity of the day is ``relative_humidity`` (day,), 0..1.
    """
    low, high = saturation.min(axis=1) * 0.0, saturation.max(axis=1)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        too_moist = np.minimum(middle[:, None] / saturation, 1.0).mean(axis=1) > relative_humidity
        low, high = np.where(too_moist, low, middle), np.where(too_moist, middle, high)
    return np.minimum((0.5 * (low + high))[:, None], saturation)
