"""Units as people write them: comparison, and what to do when they are not the expected ones."""

import re

_SYNONYMS = {
    "kelvin": "k", "celsius": "degc", "c": "degc", "°c": "degc", "deg_c": "degc", "degree_celsius": "degc",
    "degrees_celsius": "degc", "watt": "w", "watts": "w", "pascal": "pa", "metre": "m", "meter": "m", "metres": "m",
    "meters": "m", "sec": "s", "second": "s", "seconds": "s", "hr": "h", "hour": "h", "hours": "h", "day": "d",
    "days": "d", "mb": "mbar", "ppmv": "ppm", "percent": "%", "decibel": "db",
    "deg": "degrees", "degree": "degrees", "°": "degrees",
}  # fmt: skip
_TOKEN = re.compile(r"([a-z_%°]+)([+-]?\d+)?")

_MENDS = {
    ("degC", "K"): "add 273.15",
    ("g kg-1", "kg kg-1"): "divide by 1000",
    ("%", "kg kg-1"): "convert relative to specific humidity",
    ("hPa", "Pa"): "multiply by 100",
    ("mbar", "Pa"): "multiply by 100",
    ("kPa", "Pa"): "multiply by 1000",
    ("mm h-1", "kg m-2 s-1"): "divide by 3600",
    ("mm d-1", "kg m-2 s-1"): "divide by 86400",
    ("mm", "kg m-2 s-1"): "divide by the seconds of a forcing step",
    ("kg m-2", "kg m-2 s-1"): "divide by the seconds of a forcing step",
    ("m s-1", "kg m-2 s-1"): "multiply by 1000",
    ("J m-2", "W m-2"): "divide by the seconds of a forcing step",
    ("km h-1", "m s-1"): "divide by 3.6",
    ("ppm", "kg m-3"): "multiply by 1.519e-6 and the density of the air",
    ("1", "dB"): "take 10 log10 of it",
    ("%", "m3 m-3"): "divide by 100 if it is a volume fraction, else multiply by the porosity",
}


def parse_units(text: str) -> dict[str, int] | None:
    """Exponent of every base unit, ``kg/m2/s`` and ``kg m-2 s-1`` alike; None when it cannot be read.

    A ratio of equal units (kg/kg) has no base unit: the answer is empty, as for ``1``.
    """
    plain = re.sub(r"\*\*|\^", "", text.strip().lower())
    plain = re.sub(r"[()]", " ", plain).replace("·", " ").replace("*", " ")
    plain = re.sub(r"(?<=[a-z\d])\.(?=[a-z])", " ", plain)
    exponents: dict[str, int] = {}
    for position, part in enumerate(plain.split("/")):
        for token in part.split():
            if token in ("1", "-"):
                continue
            match = _TOKEN.fullmatch(token)
            if match is None:
                return None
            base = _SYNONYMS.get(match[1], match[1])
            power = int(match[2] or 1) * (-1 if position else 1)
            exponents[base] = exponents.get(base, 0) + power
    return {base: power for base, power in exponents.items() if power}


def same_units(one: str, other: str) -> bool:
    """Whether two spellings mean the same unit; a millimetre of water is a kilogram per square metre."""
    first, second = parse_units(one), parse_units(other)
    if first is None or second is None:
        return one.strip() == other.strip()
    return _water(first) == _water(second)


def _water(units: dict[str, int]) -> dict[str, int]:
    if units.get("mm") == 1:
        return {**{base: power for base, power in units.items() if base != "mm"}, "kg": 1, "m": -2}
    return units


def units_mend(given: str, wanted: str) -> str:
    """What to do with values in the units ``given`` that should be in ``wanted``."""
    for (wrong, right), mend in _MENDS.items():
        if same_units(given, wrong) and same_units(wanted, right):
            return mend
    return f"convert it to {wanted}"
