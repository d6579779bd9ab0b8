"""Observation files written block by block: a sample dimension that grows, whole or not at all."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from dalearn.errors import InputError
from dalearn.io import create_cells, create_time, create_variable, seconds, writing
from dalearn.observations.account import Account
from dalearn.observations.samples import Samples

CHUNK = 65536  # samples; 0.25 MB of float32


@contextmanager
def sample_writer(
    path: Path,
    quantity: str,
    latitude: np.ndarray,
    longitude: np.ndarray,
    account: Account,
    attributes: Mapping[str, Any],
) -> Iterator["SampleWriter"]:
    """A ``SampleWriter``; the file takes its name when the block ends without an error."""
    with writing(path, {"featureType": "timeSeries", **attributes}) as dataset:
        writer = SampleWriter(dataset, quantity, latitude, longitude, account)
        yield writer
        writer.finish()


class SampleWriter:
    """Appends samples and counts them in ``account``.

    ``latitude`` and ``longitude`` (cell,) degrees.  The layout is that of ``files.py``, with values in float32.
    """

    def __init__(
        self, dataset: netCDF4.Dataset, quantity: str, latitude: np.ndarray, longitude: np.ndarray, account: Account
    ) -> None:
        self.quantity, self.account = quantity, account
        self.units: str | None = None
        self.rows = 0
        self._dataset = dataset
        self._cells = latitude, longitude

    def append(self, samples: Samples) -> None:
        """Add samples; InputError when their units are not those of the samples before."""
        if self.units is None:
            self.units = samples.units
            self._lay_out(samples.units)
        if samples.units != self.units:
            raise InputError(
                f"{samples.source}: {samples.variable} is in {samples.units}, the files before it in {self.units}; "
                "prepare them as two products"
            )
        rows = slice(self.rows, self.rows + len(samples))
        columns = {
            "time": seconds(samples.time),
            "cell_index": samples.cell,
            self.quantity: samples.value,
            f"{self.quantity}_error": samples.error,
            "rejected": samples.rejected,
        }
        for name, values in columns.items():
            self._dataset[name][rows] = values
        self.account.count(samples.rejected)
        self.rows = rows.stop

    def _lay_out(self, units: str) -> None:
        dataset, name = self._dataset, self.quantity
        dataset.createDimension("sample", None)
        create_cells(dataset, *self._cells)
        create_time(dataset, "sample", chunks=(CHUNK,))
        described = {"long_name": "cell of the sample", "instance_dimension": "cell"}
        self._create("cell_index", "i4", described)
        self._create(name, "f4", {"units": units, "coordinates": "time"})
        self._create(f"{name}_error", "f4", {"units": units, "long_name": f"standard deviation of the error of {name}"})
        described = {"standard_name": "quality_flag", "long_name": "why the sample is not used, 0 for a usable one"}
        self._create("rejected", "i1", described)

    def _create(self, name: str, dtype: str, attributes: Mapping[str, Any]) -> None:
        create_variable(self._dataset, name, ("sample",), dtype, attributes=attributes, chunks=(CHUNK,))

    def finish(self) -> None:
        """Describe the codes and the account in the file."""
        names = self.account.names
        self._dataset["rejected"].flag_values = np.arange(len(names), dtype=np.int8)
        self._dataset["rejected"].flag_meanings = " ".join(names)
        self._dataset.sample_counts = json.dumps(self.account.counts)
