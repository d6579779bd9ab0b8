"""What a user asks of one product of observations: the section ``prepare.observations`` of a configuration."""

from typing import Protocol

import numpy as np

from dalearn.errors import InputError

RELATIVE_ERROR_OF_LAI = 0.2


class ProductRequest(Protocol):
    """The fields of an entry of ``prepare.observations``; docs/observations.md says what they mean."""

    @property
    def name(self) -> str: ...
    @property
    def quantity(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def start(self) -> str | None: ...
    @property
    def end(self) -> str | None: ...
    @property
    def error(self) -> float | None: ...
    @property
    def relative_error(self) -> float | None: ...
    @property
    def aggregate(self) -> str: ...
    @property
    def valid_fraction(self) -> float: ...
    @property
    def tolerance_km(self) -> float: ...
    @property
    def depth(self) -> tuple[float, float] | None: ...
    @property
    def sensor(self) -> str | None: ...
    @property
    def time_scale(self) -> int: ...
    @property
    def passes(self) -> str: ...
    @property
    def largest(self) -> dict[str, float]: ...
    @property
    def land_cover(self) -> str | None: ...
    @property
    def land_cover_classes(self) -> list[int]: ...


def in_period(request: ProductRequest, time: np.ndarray) -> np.ndarray:
    """Whether each ``time`` lies in the period of the request, ``start`` <= time < ``end``."""
    inside = np.ones(len(time), bool)
    if request.start is not None:
        inside &= time >= _moment(request, request.start)
    if request.end is not None:
        inside &= time < _moment(request, request.end)
    return inside


def _moment(request: ProductRequest, text: str) -> np.datetime64:
    try:
        return np.datetime64(str(text), "s")
    except ValueError as error:
        raise InputError(f"prepare.observations.{request.name}: {text} is not a date; write 2015-06-01") from error


def errors_of_samples(request: ProductRequest, value: np.ndarray, of_product: np.ndarray) -> np.ndarray:
    """Standard deviation of the error of each sample: what the request fixes, else what the product says.

    LAI has 20 % of its value where neither says anything; other quantities stay unknown (NaN).
    """
    if request.error is not None:
        return np.full(len(value), request.error, np.float32)
    relative = request.relative_error
    if relative is None and request.quantity == "LAI":
        relative = RELATIVE_ERROR_OF_LAI
    if relative is not None:
        return (relative * np.abs(value)).astype(np.float32)
    return of_product.astype(np.float32)
