"""The options of a stored SURFEX run: from the attributes of its file to those of the land model.

The files name their options in a sentence, ``... CRUNOFF=DT92 ...`` or ``... CRUNOFF DT92, ...``, where the value may
stand alone when it says which option it is (CH78, NIT) and ``default`` means the default of SURFEX.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dalearn.errors import InputError
from dalearn.forcing.series import Shortwave
from dalearn.land.options import LandOptions
from dalearn.land.snow_layers import LAYER_COUNTS

LOGICAL = ("F", "T")
# option -> the values that the model has (isba_physics.md 0.1); those with one value are named to refuse any other
CHOICES: dict[str, tuple[str, ...]] = {
    "CPEDO_FUNCTION": ("CH78", "CO84"),
    "CALBEDO": ("DRY", "WET", "MEAN", "EVOL"),  # CM13 and SGH need maps that the files do not hold
    "CRUNOFF": ("WSAT", "DT92"),
    "LTR_ML": LOGICAL,
    "LINTERP_SW": LOGICAL,
    "CPHOTO": ("NIT", "NCB"),
    "NSNOW_LAYER": tuple(str(count) for count in LAYER_COUNTS),
    "CISBA": ("DIF",),
    "CSNOW": ("3-L",),
    "NPATCH": ("12",),
    "NGROUND_LAYER": ("14",),
    "CSCOND": ("PL98", "NP89"),
    "CSOILFRZ": ("DEF",),
    "CC1DRY": ("DEF",),
    "CDIFSFCOND": ("DEF",),
    "CSNOWRES": ("DEF", "RIL"),
    "CCPSURF": ("DRY",),
    "CROUGH": ("NONE",),
    "CKSAT": ("DEF",),
    "CRAIN": ("DEF", "SGH"),
    "CHORT": ("DEF", "SGH"),
    "CDGAVG": ("INV",),
    "CDGDIF": ("ROOT",),
    "LSOC": ("F",),
    "LGLACIER": ("F",),
    "LCANOPY": ("F",),
    "LFLOOD": ("F",),
    "LAGRIP": ("F",),
    "LDEEPSOIL": ("F",),
    "LADAPT_SW": ("F",),
    "LNITRO_DILU": ("F",),
    "LSNOWDRIFT": ("T",),
    "LSNOWDRIFT_SUBLIM": ("F",),
    "LSNOW_FRAC_TOT": ("F",),
}
NUMBERS = ("XTSTEP_SURF", "XUNIF_RUNOFFB")
DEFAULT_TIME_STEP = 1800.0  # s, of the stored runs that do not say
DEFAULT_SNOW_LAYERS = 12

_KNOWN = (*CHOICES, *NUMBERS)
_ASSIGNED = re.compile(r"\b([CLNX][A-Z][A-Z0-9_]+)\s*=\s*'?([\w.+-]+)")
_SPOKEN = re.compile(rf"\b({'|'.join(sorted(_KNOWN, key=len, reverse=True))})\s+'?([\w.+-]+)")
_ALONE = {
    "CPEDO_FUNCTION": re.compile(r"\b(CH78|CO84)\b"),
    "CPHOTO": re.compile(r"\b(NON|AST|NIT|NCB)\b"),
    "NSNOW_LAYER": re.compile(r"\((\d+) layers\)"),
}


@dataclass(frozen=True)
class ReferenceOptions:
    """How to run the model like a stored run.

    ``pedotransfer`` is that of ``build_parameters``, ``shortwave`` that of ``ForcingSeries.window``.
    """

    land: LandOptions
    pedotransfer: str
    shortwave: Shortwave


def parse_options(text: str) -> dict[str, str]:
    """SURFEX option -> value, in capitals, of a sentence that names them; options at their default are left out."""
    found = {name: match[1] for name, pattern in _ALONE.items() if (match := pattern.search(text))}
    found |= {name: value for name, value in (*_SPOKEN.findall(text), *_ASSIGNED.findall(text))}
    cleaned = {name: value.strip(".").upper() for name, value in found.items()}
    logical = {"TRUE": "T", "FALSE": "F"}
    return {name: logical.get(value, value) for name, value in cleaned.items() if value != "DEFAULT"}


def reference_options(source: str, attributes: Mapping[str, Any], *sentences: str) -> ReferenceOptions:
    """The options that the attributes named ``sentences``, and attributes named like an option, ask for.

    Raises InputError naming the option: unknown, or with a value that the model does not have.
    """
    options = parse_options(" ; ".join(str(attributes[name]) for name in sentences if name in attributes))
    options |= parse_options(" ; ".join(f"{name}={attributes[name]}" for name in _KNOWN if name in attributes))
    for name, value in options.items():
        if name not in _KNOWN:
            raise InputError(f"{source}: option {name}={value} is not known; the known ones are {', '.join(_KNOWN)}")
        if name in CHOICES and value not in CHOICES[name]:
            raise InputError(
                f"{source}: option {name}={value} is not modelled; the model has {', '.join(CHOICES[name])}"
            )
    land = LandOptions(
        time_step=_number(source, options, "XTSTEP_SURF", DEFAULT_TIME_STEP),
        photosynthesis=options.get("CPHOTO", "NIT"),
        horton=options.get("CHORT") == "SGH",
        subgrid_rain=options.get("CRAIN") == "SGH",
        canopy="multilayer" if options.get("LTR_ML") == "T" else "three_point",
        albedo=options.get("CALBEDO", "DRY"),
        runoff=options.get("CRUNOFF", "WSAT"),
        runoff_exponent=_number(source, options, "XUNIF_RUNOFFB", 0.5),
        snow_layers=int(_number(source, options, "NSNOW_LAYER", DEFAULT_SNOW_LAYERS)),
    )
    return ReferenceOptions(
        land=land,
        pedotransfer=options.get("CPEDO_FUNCTION", "CH78"),
        shortwave="zenith" if options.get("LINTERP_SW") == "T" else "linear",
    )


def _number(source: str, options: Mapping[str, str], name: str, default: float) -> float:
    try:
        return float(options.get(name, default))
    except ValueError:
        raise InputError(f"{source}: option {name}={options[name]} is not a number") from None
