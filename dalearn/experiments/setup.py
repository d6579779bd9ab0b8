"""What the stages of an experiment share: cells, land model, forcing; each made when first asked for."""

import dataclasses
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from dalearn.errors import InputError
from dalearn.experiments.config import Config, window_starts
from dalearn.experiments.parts import Part
from dalearn.experiments.prepare_surface import build_maps
from dalearn.experiments.sections import as_time
from dalearn.experiments.surface import Surface, read_surface, surface_of_cells
from dalearn.forcing.reader import read_forcing
from dalearn.forcing.series import ForcingSeries
from dalearn.grid import Grid
from dalearn.land.model import LandModel
from dalearn.land.options import LandOptions
from dalearn.land.photosynthesis import with_reference_assimilation
from dalearn.land.state import LandParameters, LandState
from dalearn.land.window import ForcingWindow
from dalearn.surface_maps.build import SurfaceMaps
from dalearn.tree import select_columns, to

JACOBIAN_WINDOWS = 3
SINGLE_THREAD_COLUMNS = 5000
DTYPES = {"float64": torch.float64, "float32": torch.float32}


def choose_device(name: str, number: int = 0) -> torch.device:
    """``auto`` is a GPU where there is one; InputError when ``cuda`` is asked for and absent.

    The processes of a machine, counted by ``number``, take one GPU after the other.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device: cuda is not available here; choose auto or cpu")
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", number % torch.cuda.device_count())


class Setup:
    """The experiment of ``config``, ready to be run.

    ``inputs`` is the folder with what the twin made; without a twin it is not looked at.  With a ``part``, grid, model,
    forcing and states are those of its cells alone; the surface is that of all.  ``local_rank`` counts the processes of
    the run on this machine.
    """

    def __init__(self, config: Config, inputs: Path, part: Part | None = None, local_rank: int = 0) -> None:
        self.config = config
        self.inputs = inputs
        self.part = part
        self.local_rank = local_rank
        self.device = choose_device(config.device, local_rank)
        self.dtype = DTYPES[config.dtype]

    def of_part(self, part: Part) -> "Setup":
        """The same experiment on the cells of ``part``."""
        setup = Setup(self.config, self.inputs, part, self.local_rank)
        if "surface" in self.__dict__:
            setup.surface = self.surface
        return setup

    @property
    def cells(self) -> slice:
        """The cells of this setup among those of the surface."""
        return slice(0, self.surface.cell_count) if self.part is None else self.part.cells

    @property
    def columns(self) -> slice:
        """The columns of this setup among all."""
        return slice(0, self.grid.column_count) if self.part is None else self.part.columns

    @property
    def snow_layers(self) -> int:
        """Layers of the snow scheme, 0 where snow falls as rain."""
        return 0 if self.config.land.snowfall == "as_rain" else self.config.land.snow_layers

    @cached_property
    def surface(self) -> Surface:
        """The cells; ``prepare`` sets it where it makes them."""
        section = self.config.surface
        if section is None:
            return read_surface(self.inputs / "surface.nc")
        if section.path is not None:
            return read_surface(Path(section.path))
        return surface_of_cells("surface.cells", section.cells)

    @cached_property
    def surface_maps(self) -> SurfaceMaps:
        """What ``prepare.surface`` asks for, made from its files."""
        return build_maps(self.config)

    @cached_property
    def forcing(self) -> ForcingSeries:
        """The forcing of spin-up and run, checked, for the cells of the surface."""
        section, open_loop = self.config.forcing, self.config.open_loop
        periods = [(open_loop.start, open_loop.end)]
        if open_loop.spin_up is not None:
            periods.append((open_loop.spin_up.start, open_loop.spin_up.end))
        forcing = read_forcing(
            Path(section.path) if section is not None and section.path is not None else self.inputs / "FORCING.nc",
            "error" if self.config.land.snowfall == "as_snow" and not self.snow_layers else self.config.land.snowfall,
            start=min(as_time(start, "open_loop.start") for start, _ in periods),
            end=max(as_time(end, "open_loop.end") for _, end in periods),
            default_co2_ppm=self.config.land.co2,
            cells=self.cells,
        )
        self.surface.check_positions(forcing.source, forcing.latitude, forcing.longitude, self.cells)
        return forcing

    def forget_forcing(self) -> None:
        """Free the memory that the forcing takes; it is read again when it is asked for."""
        self.__dict__.pop("forcing", None)

    @cached_property
    def _columns(self) -> tuple[Grid, LandParameters, int, int]:
        """The columns, their parameters, forcing aside, and how many columns and water layers the whole domain has.

        Made for the whole, of which a part then takes its columns: so they are the same, bit for bit, in all parts.
        """
        grid, parameters = self.surface.parameters(self.config.land)
        count, layers = grid.column_count, int(parameters.soil.holds_water.any(dim=-1).sum())
        if self.part is not None:
            columns = torch.arange(self.part.first_column, self.part.last_column)
            grid, parameters = grid.part(self.part.first_cell, self.part.last_cell), select_columns(parameters, columns)
        return grid, parameters, count, layers

    @cached_property
    def model(self) -> LandModel:
        """The land model of these columns."""
        land, forcing = self.config.land, self.forcing
        grid, parameters, _, water_layers = self._columns
        heights = {
            name: grid.to_columns(torch.from_numpy(getattr(forcing, name)))
            for name in ("temperature_height", "wind_height")
        }
        parameters = dataclasses.replace(parameters, **heights)  # type: ignore[type-var, arg-type]
        ratio = forcing.first_record_co2_mixing_ratio(as_time(self.config.open_loop.start, "open_loop.start"))
        parameters = with_reference_assimilation(parameters, grid.to_columns(torch.from_numpy(ratio)))
        parameters = to(parameters, device=self.device, dtype=self.dtype)
        options = LandOptions(
            time_step=land.time_step,
            photosynthesis=land.photosynthesis,
            canopy=land.canopy,
            albedo=land.albedo,
            runoff=land.runoff,
            runoff_exponent=land.runoff_exponent,
            horton=land.horton,
            subgrid_rain=land.subgrid_rain,
            snow_layers=self.snow_layers,
        )
        return LandModel(parameters, options, compiled=self.config.compile, water_layers=water_layers)

    @property
    def total_columns(self) -> int:
        """Columns of the whole domain."""
        return self._columns[2]

    def use_threads(self) -> None:
        """Set the number of CPU threads.

        The operations on a few thousand columns take microseconds, less than waking and joining threads does, and
        far less where other programs keep the cores busy.
        """
        threads = self.config.threads
        if threads is None and self.grid.column_count < SINGLE_THREAD_COLUMNS:
            threads = 1
        if threads is not None:
            torch.set_num_threads(threads)

    @cached_property
    def grid(self) -> Grid:
        return self._columns[0].to(self.device)

    def window(self, start: np.datetime64, end: np.datetime64) -> ForcingWindow:
        """The forcing of the model steps from ``start`` to ``end``."""
        shortwave = self.config.forcing.shortwave if self.config.forcing is not None else "linear"
        time_step = self.config.land.time_step
        return self.forcing.window(start, end, time_step, self.dtype, self.device, shortwave=shortwave)

    def cold_start(self) -> LandState:
        """The state before the spin-up: the mean air temperature everywhere, moist soil, few leaves."""
        mean = torch.from_numpy(self.forcing.records["Tair"].mean(axis=0, dtype=np.float64)).to(self.device, self.dtype)
        return self.model.initial_state(temperature=self.grid.to_columns(mean))

    @cached_property
    def window_starts(self) -> np.ndarray:
        """Start of every assimilation window, (window,) datetime64[s]; InputError when there is none."""
        section = self.config.assimilation
        starts = window_starts(section) if section is not None else np.array([], dtype="datetime64[s]")
        if section is not None and not len(starts):
            raise InputError(
                f"assimilation: no 24 h window from {section.window_start_hour} UTC fits between {section.start} and "
                f"{section.end}; lengthen the period"
            )
        return starts

    @cached_property
    def jacobian_windows(self) -> np.ndarray:
        """Starts of the windows on which the Jacobian back ends are compared, spread over the first year."""
        year = min(len(self.window_starts), 365)
        count = min(JACOBIAN_WINDOWS, year)
        return self.window_starts[((np.arange(count) + 0.5) / max(count, 1) * year).astype(int)]

    @cached_property
    def stored_states(self) -> set[np.datetime64]:
        """Times at which the open loop leaves its state for later stages."""
        return {*self.window_starts[:1], *self.jacobian_windows}
