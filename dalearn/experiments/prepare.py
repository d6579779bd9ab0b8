"""Making model-ready inputs from downloaded files: the section ``prepare`` of a configuration.

Every product is written whole or not at all.  Products that an interrupted run finished are kept: a note beside the
stage records says from what each was made.
"""

import glob
import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from dalearn.errors import InputError
from dalearn.experiments.config import Config, as_time
from dalearn.experiments.prepare_sections import PrepareObservationsConfig
from dalearn.experiments.prepare_surface import surface_in_memory, write_maps
from dalearn.experiments.progress import Progress
from dalearn.experiments.provenance import file_attributes, file_record
from dalearn.experiments.read_config import plain
from dalearn.experiments.run_directory import RunDirectory, fingerprint, write_text
from dalearn.experiments.setup import Setup
from dalearn.forcing.grid_file import altitude_at
from dalearn.forcing.open_source import SiteSettings, open_source
from dalearn.forcing.prepare import Cells, ForcingPlan, plan_forcing, write_plan

logger = logging.getLogger("dalearn")

SURFACE_FILE = "surface.nc"
PATH_KEYS = ("files", "altitude_file", "land_cover", "texture", "altitude", "tree_height", "albedo")


def matching_files(where: str, patterns: Iterable[str]) -> list[Path]:
    """The files that the patterns match, each once, in the order of the patterns and then of their names.

    A folder counts where it is named without wildcards: some products come as one (ISMN).
    Raises InputError naming a pattern that matches nothing.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        found_here = sorted(glob.glob(pattern, recursive=True))
        names = [name for name in found_here if Path(name).is_file() or not glob.has_magic(pattern)]
        if not names:
            raise InputError(f"{pattern}: no such file ({where}.files); correct the path or download the files")
        found |= dict.fromkeys(map(Path, names))
    return list(found)


def _contents(path: Path) -> list[Path]:
    """The files that a source consists of."""
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _numbered(where: str, patterns: Iterable[str]) -> dict[str, Path]:
    files = [file for path in matching_files(where, patterns) for file in _contents(path)]
    return {f"{where}.{row}": file for row, file in enumerate(files)}


def source_files(config: Config) -> dict[str, Path]:
    """The files that something is made from, by the section that names them; InputError when there is none."""
    section = config.prepare
    files: dict[str, Path] = {}
    if section is None:
        return {}
    if section.surface is not None:
        files |= {f"prepare.surface.{name}": Path(path) for name, path in section.surface.files().items()}
    if section.forcing is not None:
        where = "prepare.forcing"
        files |= _numbered(where, section.forcing.files)
        if section.forcing.altitude_file is not None:
            files[f"{where}.altitude_file"] = Path(section.forcing.altitude_file)
    for product in section.observations:
        where = f"prepare.observations.{product.name}"
        files |= _numbered(where, product.files)
        if product.land_cover is not None:
            files[f"{where}.land_cover"] = Path(product.land_cover)
    return files


def prepare_settings(section: Any) -> Any:
    """A section below ``prepare`` as plain values without paths, for fingerprints."""
    if section is None:
        return None
    return {key: value for key, value in plain(section).items() if key not in PATH_KEYS or isinstance(value, float)}


def check_sources(setup: Setup, directory: RunDirectory) -> None:
    """Make the cells, open what the forcing is made from and check it against cells and periods; nothing is written.

    Raises InputError: one line with the file, the variable and the mend.
    """
    section = setup.config.prepare
    assert section is not None
    if section.surface is not None:
        path = setup.inputs / SURFACE_FILE
        if not _is_made(directory.partial("inputs"), path, _surface_mark(setup)):
            setup.surface = surface_in_memory(path, setup.surface_maps)
    if section.forcing is not None:
        with _forcing_plan(setup) as plan:
            _check_coverage(setup, plan)


def prepare_inputs(setup: Setup, directory: RunDirectory) -> list[Path]:
    """Make what the configuration asks for and is not there yet; returns the files."""
    section = setup.config.prepare
    assert section is not None
    setup.inputs.mkdir(exist_ok=True)
    notes = directory.partial("inputs")
    notes.mkdir(parents=True, exist_ok=True)
    files = []
    if section.surface is not None:  # before the others, which are put on its cells
        path = setup.inputs / SURFACE_FILE
        with _once(notes, path, _surface_mark(setup)) as wanted:
            if wanted:
                write_maps(setup.config, setup.surface_maps, path)
        vars(setup).pop("surface_maps", None)  # large, and now in the file
        files.append(path)
    if section.forcing is not None:
        path = setup.inputs / "FORCING.nc"
        with _once(notes, path, _mark(setup, "prepare.forcing", section.forcing)) as wanted:
            if wanted:
                _prepare_forcing(setup, path)
        files.append(path)
    for product in section.observations:
        path = setup.inputs / f"{product.name}.nc"
        where = f"prepare.observations.{product.name}"
        with _once(notes, path, _mark(setup, where, product)) as wanted:
            if wanted:
                _prepare_observations(setup, product, where, path)
        files.append(path)
    return files


def _mark(setup: Setup, where: str, section: Any) -> str:
    """What a product on the cells follows from, as a hash."""
    surface = setup.surface
    return _source_mark(setup, where, section, surface.latitude.tolist(), surface.longitude.tolist())


def _surface_mark(setup: Setup) -> str:
    assert setup.config.prepare is not None
    return _source_mark(setup, "prepare.surface", setup.config.prepare.surface)


def _source_mark(setup: Setup, where: str, section: Any, *more: Any) -> str:
    sources = {name: file for name, file in source_files(setup.config).items() if name.startswith(f"{where}.")}
    checksums = {name: file_record(file)["sha256"] for name, file in sources.items()}
    return fingerprint(prepare_settings(section), checksums, *more)


def _is_made(notes: Path, path: Path, mark: str) -> bool:
    note = notes / f"{path.stem}.json"
    known = json.loads(note.read_text()) if note.exists() else {}
    return path.is_file() and known == {"fingerprint": mark, "bytes": path.stat().st_size}


@contextmanager
def _once(notes: Path, path: Path, mark: str) -> Iterator[bool]:
    """Whether a product has to be made; afterwards, a note that it was."""
    made = _is_made(notes, path, mark)
    if made:
        logger.info("%s: made before, kept", path.name)
    yield not made
    if not made:
        note = {"fingerprint": mark, "bytes": path.stat().st_size}
        write_text(notes / f"{path.stem}.json", json.dumps(note))


@contextmanager
def _forcing_plan(setup: Setup) -> Iterator[ForcingPlan]:
    """The plan of the forcing, its source open."""
    assert setup.config.prepare is not None
    section = setup.config.prepare.forcing
    assert section is not None
    surface = setup.surface
    settings = SiteSettings(
        latitude=section.latitude,
        longitude=section.longitude,
        altitude=section.altitude,
        temperature_height=section.temperature_height,
        wind_height=section.wind_height,
        utc_offset=section.utc_offset_hours,
    )
    paths = matching_files("prepare.forcing", section.files)
    unknown = np.full(surface.cell_count, np.nan)
    cells = Cells(surface.latitude, surface.longitude, unknown if surface.altitude is None else surface.altitude)
    with open_source(section.format, paths, surface.latitude, surface.longitude, settings) as source:
        altitude = None
        if section.altitude_file is not None and section.altitude_correction:
            altitude = altitude_at(Path(section.altitude_file), surface.latitude, surface.longitude)
        yield plan_forcing(
            source,
            cells,
            start=None if section.start is None else as_time(section.start, "prepare.forcing.start"),
            end=None if section.end is None else as_time(section.end, "prepare.forcing.end"),
            altitude_correction=section.altitude_correction,
            source_altitude=altitude,
            direct_shortwave=section.direct_shortwave,
        )


def _check_coverage(setup: Setup, plan: ForcingPlan) -> None:
    open_loop, times = setup.config.open_loop, plan.source.times[plan.rows]
    last = times[-1] + np.timedelta64(plan.source.step, "s")
    for where, section in (("open_loop", open_loop), ("open_loop.spin_up", open_loop.spin_up)):
        if section is not None and not times[0] <= as_time(section.start, where) < as_time(section.end, where) <= last:
            raise InputError(
                f"{plan.source.label}: {where} ({section.start} to {section.end}) is not inside the forcing to be "
                f"made, {times[0]} to {times[-1]}; give more files, or change one of the periods"
            )


def _prepare_forcing(setup: Setup, path: Path) -> None:
    assert setup.config.prepare is not None
    section = setup.config.prepare.forcing
    assert section is not None
    with _forcing_plan(setup) as plan:
        source, count = plan.source, plan.rows.stop - plan.rows.start
        logger.info(
            "forcing: %s (%s), %d records from %s for %d cells",
            source.label, section.format, count, source.times[plan.rows.start], len(plan.cells.latitude),
        )  # fmt: skip
        attributes = {**file_attributes(f"forcing of {setup.config.name}"), "made_from": f"{section.format} files"}
        with Progress("prepare: forcing", count, "hours") as progress:
            write_plan(plan, path, attributes, progress.update)


def _prepare_observations(setup: Setup, product: PrepareObservationsConfig, where: str, path: Path) -> None:
    from dalearn.observations.prepare import prepare_observations

    surface = setup.surface
    files = matching_files(where, product.files)
    logger.info("%s: %d files (%s)", product.name, len(files), product.format)
    counts = prepare_observations(product, files, surface.latitude, surface.longitude, path)
    account = ", ".join(f"{number} {reason}" for reason, number in counts.items() if number)
    logger.info("%s: %s", product.name, account or "no sample")
