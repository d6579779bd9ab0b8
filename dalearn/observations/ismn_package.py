"""ISMN files through the package ``ismn``, where it is installed and knows the layout."""

from pathlib import Path

import numpy as np

from dalearn.observations.ismn_file import LOWEST_VALUE, Series


def series_of_package(path: Path) -> list[Series]:
    """The series of a file on disk; empty when the package is absent or does not know the file.

    What it cannot read goes to our own reader, which says in one line what is wrong.
    """
    try:
        from ismn.filehandlers import DataFile
    except ImportError:
        return []
    try:
        file = DataFile(str(path.parent), path.name)
        table, about = file.read_data(), file.metadata
        value = table.iloc[:, 0].to_numpy(np.float64)
        depth = about["instrument"].depth
        return [
            Series(
                source=str(path),
                network=path.name.split("_")[1],
                station=str(about["station"].val),
                latitude=float(about["latitude"].val),
                longitude=float(about["longitude"].val),
                depth=(float(depth.start), float(depth.end)),
                sensor=str(about["instrument"].val),
                time=table.index.to_numpy().astype("datetime64[s]"),
                value=np.where(value < LOWEST_VALUE, np.nan, value),
                flag=table.iloc[:, 1].to_numpy().astype(str),
            )
        ]
    except Exception:  # it raises whatever its parsers raise for layouts and faults that it does not know
        return []
