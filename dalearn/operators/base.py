"""The one interface of every observation operator, and the registry that finds an operator by name.

A new operator is a subclass that names its predictors and quantity and writes ``forward``::

    from dalearn.operators import ObservationOperator, register_operator

    @register_operator("exponential")
    class ExponentialOperator(ObservationOperator):
        predictors = ("WG2", "LAI")
        quantity = "sigma0"

        def __init__(self, cell_count, **options):
            super().__init__(cell_count, **options)
            self.dry = self.cell_parameter(-15.0)
            self.slope = self.cell_parameter(20.0)

        def forward(self, predictors):
            soil_moisture, leaf_area_index = predictors.unbind(-1)
            return self.dry + self.slope * soil_moisture * (-0.1 * leaf_area_index).exp()

Training, storage, range handling and both Jacobians then work on it unchanged.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar

import torch
from torch import Tensor, nn

from dalearn.errors import InputError
from dalearn.operators.names import check_predictors, option_names, unknown_name
from dalearn.operators.predictor_range import PredictorRange, RangeReport
from dalearn.variables import VARIABLES


class ObservationOperator(nn.Module):
    """Model equivalent of an observed quantity, for all cells at once.

    Calling the operator maps ``predictors`` (..., cell, n), the cell means named by ``predictors`` in table
    units, to the quantity (..., cell).  The call bounds the predictors to the training range under the rule
    ``clip`` and then runs ``forward``, which is a pure differentiable function.

    Class attributes a subclass declares:
        predictors: names from the variable table, the default of the option of the same name.
        quantity: observed quantity; ``units`` too when the variable table does not have it.
        needs_training: a new operator is unusable until trained or loaded.
        independent_cells: every parameter has the cell axis first and no cell reads the parameters of another.
            This is what makes joint training equal to training cell by cell.
        predicts_error: ``error_deviation`` is there once the operator is trained.

    ``trained`` (cell,) flags the cells whose observations may be assimilated.
    """

    name: ClassVar[str] = ""
    needs_training: ClassVar[bool] = False
    independent_cells: ClassVar[bool] = True
    predicts_error: ClassVar[bool] = False
    predictors: tuple[str, ...] = ()
    quantity: str = ""
    units: str = ""
    trained: Tensor

    def __init__(
        self,
        cell_count: int,
        *,
        predictors: tuple[str, ...] | list[str] | None = None,
        quantity: str | None = None,
        units: str | None = None,
        out_of_range: str = "clip",
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        self.cell_count = cell_count
        self.predictors = check_predictors(self.predictors if predictors is None else predictors)
        self.quantity = quantity or self.quantity
        if quantity or not self.units:
            if units is None and self.quantity not in VARIABLES:
                raise InputError(f"operator {self.name!r}: quantity {self.quantity!r} needs units")
            self.units = units or VARIABLES[self.quantity].units
        else:
            self.units = units or self.units
        self.dtype = dtype
        self.predictor_range = PredictorRange(cell_count, self.predictors, out_of_range, dtype)
        self.register_buffer("trained", torch.full((cell_count,), not self.needs_training))
        self.register_forward_pre_hook(_bound_predictors)

    def forward(self, predictors: Tensor) -> Tensor:
        """``predictors`` (..., cell, n) to the quantity (..., cell)."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(predictors)")

    @property
    def out_of_range(self) -> str:
        """The rule outside the training range: ``clip``, ``extrapolate``, ``refuse`` or ``drop``; may be assigned."""
        return self.predictor_range.rule

    @out_of_range.setter
    def out_of_range(self, rule: str) -> None:
        self.predictor_range.set_rule(rule)

    def in_range(self, predictors: Tensor) -> Tensor:
        """(..., cell): the predictors (..., cell, n) are within the training range."""
        return self.predictor_range.contains(predictors)

    def check(self, predictors: Tensor) -> Tensor:
        """Count range exits and say where the operator may be used: bool (..., cell).

        Call it once per analysis with the predictors of the forecast.  False where the cell is untrained, a
        predictor is not finite or, under the rule ``drop``, outside the training range.  Raises ``InputError``
        under the rule ``refuse``.
        """
        in_range = self.predictor_range.check(predictors)
        usable = in_range if self.out_of_range == "drop" else torch.isfinite(predictors).all(dim=-1)
        return usable & self.trained

    def report(self) -> RangeReport:
        """How often ``check`` found predictors outside the training range."""
        return self.predictor_range.report()

    def fit_statistics(self, predictors: Tensor, target: Tensor, minimum_samples: int = 1) -> None:
        """Take range and normalisation from the training samples.

        ``predictors`` (sample, cell, n), ``target`` (sample, cell), NaN = missing.  Cells with fewer than
        ``minimum_samples`` complete samples are flagged untrained; the others are flagged trained.
        """
        valid = torch.isfinite(target) & torch.isfinite(predictors).all(dim=-1)
        count = valid.sum(dim=0)
        enough = count >= max(minimum_samples, 1)
        self.predictor_range.fit(predictors, valid & enough)
        self.fit_normalisation(predictors, torch.where(valid, target, torch.nan), enough)
        self.trained.copy_(enough)

    def fit_normalisation(self, predictors: Tensor, target: Tensor, enough: Tensor) -> None:
        """Take normalisation statistics; operators with physical parameters have none.

        Shapes as in ``fit_statistics``; ``enough`` (cell,) False where the cell will stay untrained.
        """

    def penalty(self) -> Tensor | None:
        """(cell,) what a prior on the parameters adds to the mean squared error of a cell, in squared units of the
        quantity; none by default.
        """
        return None

    def error_deviation(self, predictors: Tensor) -> Tensor:
        """Standard deviation (..., cell) of observation minus operator, in the units of the quantity.

        ``predictors`` (..., cell, n) as in a call.  ``InputError`` from operators that do not predict their error.
        """
        raise InputError(
            f"operator {self.name!r} does not predict its error: set observation_error.{self.quantity}.relative_to to "
            "nothing and scale to a number"
        )

    def fit_error(self, predictors: Tensor, target: Tensor, valid: Tensor) -> None:
        """Fit ``error_deviation`` on samples that training has set aside; nothing to do by default.

        ``predictors`` (sample, cell, n) and ``target`` (sample, cell) without NaN, ``valid`` (sample, cell).
        """

    def initialise(self, seed: int, cell_identifiers: list[int] | None = None) -> None:
        """Draw initial weights; operators with physical parameters start from their given values.

        ``cell_identifiers`` are the numbers of the cells in the whole domain (default 0, 1, ...): the weights of
        a cell depend on ``seed`` and its identifier only, not on which other cells are in the operator.
        """

    def options(self) -> dict[str, Any]:
        """Keyword arguments that rebuild this operator (plain numbers, strings, lists); extend in a subclass."""
        return {"quantity": self.quantity, "units": self.units, "out_of_range": self.out_of_range}

    def dimensions(self) -> dict[str, tuple[str, ...]]:
        """Axis names of tensors in ``state_dict`` for storage; others are (cell, ...) when that fits."""
        bounds = ("cell", "predictor")
        return {
            "predictor_range.predictor_minimum": bounds,
            "predictor_range.predictor_maximum": bounds,
            "trained": ("cell",),
        }

    def cell_parameter(self, value: float | Tensor, *shape: int) -> nn.Parameter:
        """A trainable parameter (cell, *shape) filled with ``value`` (a number or something that broadcasts)."""
        filled = torch.as_tensor(value, dtype=self.dtype).expand(self.cell_count, *shape)
        return nn.Parameter(filled.clone())

    def select_cells(self, index: Tensor | list[int]) -> Self:
        """A copy holding the chosen cells only, in that order; a cell may be chosen more than once."""
        index = torch.as_tensor(index, dtype=torch.long)
        copy = type(self)(len(index), predictors=self.predictors, dtype=self.dtype, **self.options())
        axes = {key: tensor_axes(self, key, tensor) for key, tensor in self.state_dict().items()}
        chosen = {
            key: tensor[index.to(tensor.device)] if axes[key][:1] == ("cell",) else tensor
            for key, tensor in self.state_dict().items()
        }
        copy.load_state_dict(chosen)
        for name, weight in self.named_parameters():
            copy.get_parameter(name).requires_grad_(weight.requires_grad)
        return copy.to(self.trained.device)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        self.dtype = self.predictor_range.predictor_minimum.dtype
        return self


def tensor_axes(operator: ObservationOperator, key: str, tensor: Tensor) -> tuple[str, ...]:
    """Axis names of one tensor of ``operator.state_dict()``, declared or inferred from its shape."""
    declared = operator.dimensions().get(key)
    if declared is not None:
        return declared
    first = tensor.shape[:1] == (operator.cell_count,) and operator.independent_cells
    names = ["cell"] if first else []
    return (*names, *(f"size_{length}" for length in tensor.shape[len(names) :]))


def _bound_predictors(operator: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    assert isinstance(operator, ObservationOperator)
    predictors = arguments[0]
    if predictors.shape[-2:] != (operator.cell_count, len(operator.predictors)):
        raise ValueError(
            f"operator {operator.name!r} takes predictors (..., {operator.cell_count}, {len(operator.predictors)}) "
            f"= (..., cell, {' '.join(operator.predictors)}), not {tuple(predictors.shape)}"
        )
    if predictors.dtype != operator.dtype:
        raise ValueError(
            f"operator {operator.name!r} is {operator.dtype}, its predictors {predictors.dtype}: "
            "cast one of them with .to(dtype)"
        )
    return (operator.predictor_range.bound(predictors), *arguments[1:])


_REGISTRY: dict[str, type[ObservationOperator]] = {}

Operator = TypeVar("Operator", bound=type[ObservationOperator])


def register_operator(name: str) -> Callable[[Operator], Operator]:
    """Class decorator: make an operator known under ``name`` (as in a configuration file).

    Registering another class under a taken name raises ``ValueError``; re-running the same definition replaces it.
    """

    def register(operator: Operator) -> Operator:
        taken = _REGISTRY.get(name)
        if taken is not None and (taken.__module__, taken.__qualname__) != (operator.__module__, operator.__qualname__):
            raise ValueError(f"operator name {name!r} is taken by {taken.__module__}.{taken.__qualname__}")
        operator.name = name
        _REGISTRY[name] = operator
        return operator

    return register


def known_operators() -> tuple[str, ...]:
    """Registered names, sorted."""
    return tuple(sorted(_REGISTRY))


def operator_class(name: str) -> type[ObservationOperator]:
    """The class registered under ``name``; ``InputError`` listing the known names otherwise."""
    if name not in _REGISTRY:
        raise InputError(unknown_name("operator", name, known_operators()))
    return _REGISTRY[name]


def create_operator(
    name: str, *, cell_count: int, predictors: tuple[str, ...] | list[str] | None = None, **options: Any
) -> ObservationOperator:
    """A new operator for ``cell_count`` cells.

    ``predictors`` defaults to those of the operator, ``options`` are the keyword arguments of its class.
    Unknown operators, predictors and options raise ``InputError`` listing the known ones.
    """
    operator = operator_class(name)
    known = option_names(operator)
    for option in options:
        if option not in known:
            raise InputError(unknown_name(f"option of operator {name!r}", option, known))
    return operator(cell_count, predictors=predictors, **options)
