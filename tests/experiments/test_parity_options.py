"""The options of stored SURFEX runs."""

import pytest

from dalearn.errors import InputError
from dalearn.experiments.reference_options import parse_options, reference_options


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        (
            "SURFEX v8.1 ISBA DIF NIT NPATCH=12 snow 3-L CH78 CSCOND=PL98 CRUNOFF=WSAT CROUGH=NONE CCPSURF=DRY",
            {"CPHOTO": "NIT", "CPEDO_FUNCTION": "CH78", "CRUNOFF": "WSAT", "NPATCH": "12"},
        ),
        (
            "snow 3-L (12 layers) XTSTEP_SURF=900 s; OPTIONS: CPHOTO NCB, LTR_ML T, CO84, CRUNOFF DT92, CALBEDO EVOL",
            {
                "NSNOW_LAYER": "12", "XTSTEP_SURF": "900", "CPHOTO": "NCB", "LTR_ML": "T", "CPEDO_FUNCTION": "CO84",
                "CRUNOFF": "DT92", "CALBEDO": "EVOL",
            },
        ),
        ("snow 3-L (NSNOW_LAYER=3) CH78 CALBEDO default XTSTEP_SURF=1800 s", {"NSNOW_LAYER": "3"}),
        ("CRUNOFF='SGH ' LTR_ML=.TRUE. CPEDO_FUNCTION = co84", {"CRUNOFF": "SGH", "LTR_ML": "T"}),
    ],
)  # fmt: skip
def test_options_of_a_sentence(sentence: str, expected: dict[str, str]) -> None:
    options = parse_options(sentence)
    assert expected.items() <= options.items()
    assert "DEFAULT" not in options.values()


def test_options_of_the_model() -> None:
    attributes = {
        "model": "NIT CO84, CRUNOFF DT92, LTR_ML T, CALBEDO EVOL, XTSTEP_SURF=900 s",
        "XUNIF_RUNOFFB": 0.3,
        "LINTERP_SW": "T",
    }
    options = reference_options("case.nc", attributes, "model")
    assert (options.pedotransfer, options.shortwave) == ("CO84", "zenith")
    land = options.land
    assert (land.time_step, land.canopy, land.albedo, land.runoff) == (900.0, "multilayer", "EVOL", "DT92")
    assert (land.runoff_exponent, land.snow_layers) == (0.3, 12)
    plain = reference_options("case.nc", {"model": "ISBA DIF NIT"}, "model")
    assert (plain.pedotransfer, plain.land.time_step, plain.land.canopy) == ("CH78", 1800.0, "three_point")


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        ("snow 3-L (NSNOW_LAYER=5)", r"case\.nc: option NSNOW_LAYER=5 is not modelled; the model has 3, 12"),
        ("CCPSURF=HUM", r"case\.nc: option CCPSURF=HUM is not modelled; the model has DRY"),
        ("CFANCY=YES", r"case\.nc: option CFANCY=YES is not known; the known ones are CPEDO_FUNCTION"),
        ("XTSTEP_SURF=half", r"case\.nc: option XTSTEP_SURF=HALF is not a number"),
    ],
)
def test_what_the_model_does_not_have_is_named(sentence: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        reference_options("case.nc", {"model": sentence}, "model")
