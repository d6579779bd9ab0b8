"""Spellings of units and the mends that go with the wrong ones."""

import pytest

from dalearn.units import same_units, units_mend


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("kg/m2/s", "kg m-2 s-1"),
        ("kg m**-2 s**-1", "kg m-2 s-1"),
        ("kg/(m2 s)", "kg m-2 s-1"),
        ("kg.m-2.s-1", "kg m-2 s-1"),
        ("mm/s", "kg m-2 s-1"),
        ("Kg/Kg", "kg kg-1"),
        ("1", "kg kg-1"),
        ("-", "m2 m-2"),
        ("W/m2", "W m-2"),
        ("Watts/m^2", "W m-2"),
        ("Kelvin", "K"),
        ("m/s", "m s-1"),
        ("kg/m3", "kg m-3"),
        ("dB", "db"),
    ],
)
def test_same(one: str, other: str) -> None:
    assert same_units(one, other)


@pytest.mark.parametrize(
    ("given", "wanted", "mend"),
    [
        ("degC", "K", "add 273.15"),
        ("degrees_Celsius", "K", "add 273.15"),
        ("g/kg", "kg kg-1", "divide by 1000"),
        ("hPa", "Pa", "multiply by 100"),
        ("mb", "Pa", "multiply by 100"),
        ("mm/hr", "kg m-2 s-1", "divide by 3600"),
        ("mm h-1", "kg m-2 s-1", "divide by 3600"),
        ("mm/day", "kg m-2 s-1", "divide by 86400"),
        ("mm", "kg m-2 s-1", "divide by the seconds of a forcing step"),
        ("km/h", "m s-1", "divide by 3.6"),
        ("ppm", "kg m-3", "multiply by 1.519e-6 and the density of the air"),
        ("1", "dB", "take 10 log10 of it"),
        ("furlong", "m s-1", "convert it to m s-1"),
        ("10^3 kg", "Pa", "convert it to Pa"),
    ],
)
def test_different(given: str, wanted: str, mend: str) -> None:
    assert not same_units(given, wanted)
    assert units_mend(given, wanted) == mend
