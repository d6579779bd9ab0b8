"""What a filter carries from window to window, and what every filter of the cycle does."""

from typing import Protocol

from torch import Tensor

from dalearn.assimilation.forecast import Window
from dalearn.assimilation.record import WindowRecord
from dalearn.land.state import LandState
from dalearn.tree import tensor_dataclass


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
