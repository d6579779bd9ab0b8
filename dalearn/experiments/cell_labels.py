"""Names of the cells that only the evaluation uses, from the surface map: sub-domain and land use."""

from pathlib import Path

from dalearn.errors import InputError
from dalearn.io import reading

LABELS = ("area", "land_use")


def read_labels(source: str, cell_count: int) -> dict[str, list[str]]:
    """``LABELS`` that the surface map in the file ``source`` has, each (cell,); empty where it is no file.

    Raises InputError where one of them is not a name per cell.
    """
    if not Path(source).is_file():
        return {}
    labels = {}
    with reading(source) as file:
        for name in LABELS:
            if name not in file.variables:
                continue
            if file[name].dimensions != ("cell",) or file[name].dtype is not str:
                raise InputError(f"{source}: {name} is not one string for each cell (dims {file[name].dimensions})")
            labels[name] = [str(value) for value in file[name][:]]
            if len(labels[name]) != cell_count:
                raise InputError(f"{source}: {name} has {len(labels[name])} entries, the run has {cell_count} cells")
    return labels
