"""How many processes a run is worth."""

from dalearn.errors import InputError
from dalearn.experiments.config import Config
from dalearn.experiments.launcher import cores
from dalearn.experiments.setup import Setup, choose_device
from dalearn.land.parameters import build_parameters
from dalearn.twin.build import twin_surface

# Below so many columns per process a step of the model takes hardly less time with half of them (docs/scaling.md)
COLUMNS_WORTH_A_PROCESS = 300


def choose_processes(config: Config) -> int:
    """One per core as far as each gets enough columns; one where a GPU does the work."""
    if cores() == 1 or choose_device(config.device).type != "cpu":
        return 1
    return max(1, min(cores(), _columns(config) // COLUMNS_WORTH_A_PROCESS))


def _columns(config: Config) -> int:
    """Columns of the domain, 0 where it is not known yet."""
    if config.twin is not None:
        surface = twin_surface(config.twin)
        grid, _ = build_parameters(surface.fraction, surface.clay, surface.sand, surface.latitude, surface.longitude)
        return grid.column_count
    try:
        return Setup(config, config.run_path() / "inputs").grid.column_count
    except InputError:
        return 0  # it is made by the run, or wrong, which the run says
