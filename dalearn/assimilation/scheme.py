"""What a filter carries from window to window, and what every filter of the cycle does."""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from dalearn.assimilation.forecast import Window
from dalearn.assimilation.record import WindowRecord
from dalearn.land.state import LandState, state_from_fields
from dalearn.tree import named_tensors, tensor_dataclass


@tensor_dataclass
class FilterState:
    """All that the next window needs.

    Attributes:
        land: the analysed land state.
        covariance: of its errors, (n, n, cell), where the scheme carries it on.
        ensemble: the analysed members, where the scheme has them, side by side along the column axis (member x
            column); ``land`` is then their mean.
        noise: of the members (control, member x column), standardised; none before the first window.
    """

    land: LandState
    covariance: Tensor | None = None
    ensemble: LandState | None = None
    noise: Tensor | None = None


def carried_tensors(state: FilterState) -> dict[str, Tensor]:
    """What ``state`` holds besides the land state, by name, for a restart file."""
    return {name: tensor for name, tensor in named_tensors(state) if not name.startswith("land.")}


def filter_state(land: LandState, carried: Mapping[str, Tensor]) -> FilterState:
    """The inverse of ``carried_tensors``."""
    prefix = "ensemble."
    members = {name.removeprefix(prefix): tensor for name, tensor in carried.items() if name.startswith(prefix)}
    return FilterState(
        land=land,
        covariance=carried.get("covariance"),
        ensemble=state_from_fields(members) if members else None,
        noise=carried.get("noise"),
    )


class Scheme(Protocol):
    """One way to assimilate."""

    def start(self, state: FilterState) -> FilterState:
        """``state`` with what the scheme carries besides the land state, where it is not there yet."""
        ...

    def advance(
        self, state: FilterState, window: Window, observed: Tensor | None, error: Tensor | None
    ) -> tuple[FilterState, WindowRecord]:
        """The state at the end of ``window`` and what happened.

        ``observed`` and ``error`` (observation, cell): values and standard deviations, NaN = missing; None when
        there is none at all.
        """
        ...
