"""A land model that keeps only the states between its steps for the backward pass, and runs each step again there.

The activations of one step are many times its state.  With them recomputed, the memory of a gradient grows by one
state per step, for one more forward run.
"""

from typing import Self

from torch.utils.checkpoint import checkpoint

from dalearn.assimilation.forecast import Model
from dalearn.land.state import Fluxes, Forcing, LandParameters, LandState


class CheckpointedModel:
    """``model`` with every step recomputed in the backward pass; a land model itself."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.parameters = model.parameters

    def with_parameters(self, parameters: LandParameters) -> Self:
        return type(self)(self.model.with_parameters(parameters))

    def prepare_state(self, state: LandState) -> LandState:
        return self.model.prepare_state(state)

    def step(self, state: LandState, forcing: Forcing, first_of_day: bool) -> tuple[LandState, Fluxes]:
        return checkpoint(  # type: ignore[no-any-return]
            self.model.step, state, forcing, first_of_day, use_reentrant=False, preserve_rng_state=False
        )
