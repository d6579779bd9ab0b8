"""Sub-domain and land use of the cells, which the evaluation reads from the surface map."""

from pathlib import Path

import netCDF4
import numpy as np
import pytest

from dalearn.errors import InputError
from dalearn.experiments.cell_labels import read_labels


def write(path: Path, **variables: tuple[type | str, tuple[str, ...], object]) -> str:
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("cell", 2)
        file.createDimension("class", 2)
        for name, (kind, dimensions, values) in variables.items():
            file.createVariable(name, kind, dimensions)[:] = values
    return str(path)


def test_names_are_read_where_they_are(tmp_path: Path) -> None:
    names = np.array(["flooded", ""], dtype=object)
    source = write(tmp_path / "surface.nc", land_use=(str, ("cell",), names))
    assert read_labels(source, 2) == {"land_use": ["flooded", ""]}
    assert read_labels(write(tmp_path / "plain.nc"), 2) == {}
    assert read_labels("surface.cells", 2) == {}


def test_numbers_and_other_dimensions_are_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "numbers.nc", area=("f8", ("cell",), [1.0, 2.0]))
    with pytest.raises(InputError, match=r"numbers\.nc: area is not one string for each cell"):
        read_labels(source, 2)
    source = write(tmp_path / "classes.nc", area=(str, ("class",), np.array(["a", "b"], dtype=object)))
    with pytest.raises(InputError, match=r"\(dims \('class',\)\)"):
        read_labels(source, 2)
    source = write(tmp_path / "short.nc", area=(str, ("cell",), np.array(["a", "b"], dtype=object)))
    with pytest.raises(InputError, match=r"short\.nc: area has 2 entries, the run has 3 cells"):
        read_labels(source, 3)
