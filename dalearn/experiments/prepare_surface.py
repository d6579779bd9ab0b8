"""The surface map of the section ``prepare.surface``: made, looked at as a ``Surface``, written."""

import logging
from pathlib import Path

import numpy as np

from dalearn.experiments.config import Config
from dalearn.experiments.provenance import file_attributes
from dalearn.experiments.surface import Surface
from dalearn.surface_maps.build import Rules, Sources, SurfaceMaps, build_surface
from dalearn.surface_maps.target import TargetGrid
from dalearn.surface_maps.write import write_surface

logger = logging.getLogger("dalearn")


def build_maps(config: Config) -> SurfaceMaps:
    """The maps that the configuration asks for; InputError naming the file that is at fault."""
    assert config.prepare is not None
    section = config.prepare.surface
    assert section is not None
    target = TargetGrid.from_axes(section.grid.latitude, section.grid.longitude)
    logger.info("surface: %d x %d cells from %s", *target.shape, Path(section.land_cover).name)
    sources = Sources(
        land_cover=Path(section.land_cover),
        texture=Path(section.texture),
        altitude=Path(section.altitude),
        classes=section.classes,
        tree_height=None if section.tree_height is None else Path(section.tree_height),
        albedo=None if section.albedo is None else Path(section.albedo),
    )
    rules = Rules(
        largest_water_fraction=section.largest_water_fraction,
        largest_urban_fraction=section.largest_urban_fraction,
        largest_altitude=section.largest_altitude,
        fill_distance_km=section.fill_distance_km,
        c4_crop_fraction=section.c4_crop_fraction,
    )
    maps = build_surface(target, sources, rules)
    logger.info("surface: %s", ", ".join(f"{number} {reason}" for reason, number in maps.counts.items() if number))
    return maps


def surface_in_memory(path: Path, maps: SurfaceMaps) -> Surface:
    """What ``read_surface`` gives once the maps are written to ``path``."""
    undefined = np.full_like(maps.fraction, np.nan)
    return Surface(
        source=str(path),
        latitude=maps.latitude,
        longitude=maps.longitude,
        fraction=maps.fraction,
        clay=maps.clay,
        sand=maps.sand,
        root_depth=undefined,
        soil_depth=undefined,
        tree_height=undefined if maps.tree_height is None else maps.tree_height,
        name=("",) * len(maps.latitude),
        cell_size=maps.cell_size,
        overrides=maps.overrides,
        altitude=maps.altitude,
    )


def write_maps(config: Config, maps: SurfaceMaps, path: Path) -> None:
    """Write the maps whole or not at all, with the names of the files behind them."""
    assert config.prepare is not None
    section = config.prepare.surface
    assert section is not None
    attributes = {
        **file_attributes(f"surface of {config.name}"),
        "classes": section.classes,
        **{f"{name}_file": Path(file).name for name, file in section.files().items()},
    }
    write_surface(path, maps, attributes)
