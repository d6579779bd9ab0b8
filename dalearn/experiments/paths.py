"""Where the files of a configuration lie: beside it, or in ``inputs`` of the run directory when the run makes them."""

import glob
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dalearn.experiments.prepare_sections import PrepareForcingConfig
from dalearn.experiments.sections import ForcingConfig

if TYPE_CHECKING:
    from dalearn.experiments.config import Config


def make_paths_absolute(config: "Config", base: Path) -> None:
    """Paths of files below ``base``, those of files that the run makes below its ``inputs``."""
    inputs = config.run_path() / "inputs"
    made = {product.name for product in config.prepare.observations} if config.prepare else set()
    for section in (config.surface, config.forcing, *config.observations):
        if section is not None and section.path is not None:
            if product_of(section.path) in made:
                section.path = str(inputs / Path(section.path).name)
            here = inputs if config.twin is not None else base
            section.path = str((here / Path(section.path).expanduser()).resolve())
    if config.twin is not None and config.twin.sentinel1 is not None and config.twin.sentinel1.inversion is not None:
        inversion = str((base / Path(config.twin.sentinel1.inversion).expanduser()).resolve())
        config.twin = replace(config.twin, sentinel1=replace(config.twin.sentinel1, inversion=inversion))
    if config.prepare is None:
        return
    source = config.prepare.forcing
    if source is not None:
        if config.forcing is None:
            config.forcing = ForcingConfig(shortwave=_shortwave_of(source))
        config.forcing.path = str(inputs / "FORCING.nc")
        if source.altitude_file is not None:
            source.altitude_file = str((base / Path(source.altitude_file).expanduser()).resolve())
    maps = config.prepare.surface
    if maps is not None:
        for name, path in maps.files().items():
            setattr(maps, name, str((base / Path(path).expanduser()).resolve()))
    for product in (source, *config.prepare.observations):
        if product is not None:
            product.files = [_pattern(base, pattern) for pattern in product.files]
    for observed in config.prepare.observations:
        if observed.land_cover is not None:
            observed.land_cover = str((base / Path(observed.land_cover).expanduser()).resolve())


def product_of(path: str) -> str:
    """Which product a path means: ``SSM`` for ``SSM.nc``, and for ``.../inputs/SSM.nc`` of a resolved configuration."""
    place = Path(path)
    own = len(place.parts) == 1 or place.parent.name == "inputs"
    return place.name.removesuffix(".nc") if own and place.suffix == ".nc" else ""


def _shortwave_of(source: PrepareForcingConfig) -> Literal["linear", "zenith"]:
    """Hourly means follow the sun; a SURFEX file is taken as SURFEX takes it."""
    return "linear" if source.format == "surfex" else "zenith"


def _pattern(base: Path, pattern: str) -> str:
    """An absolute pattern; only what the user wrote may hold wildcards."""
    plain_path = Path(pattern).expanduser()
    if plain_path.is_absolute():
        return str(plain_path)
    while plain_path.parts[:1] == ("..",):
        base, plain_path = base.parent, plain_path.relative_to("..")
    return str(Path(glob.escape(str(base))) / plain_path)
