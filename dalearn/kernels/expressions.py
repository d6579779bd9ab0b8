"""Formulas of one column: every distinct value once, in the order in which it was first needed."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

Value = int  # the number of an expression


@dataclass(frozen=True)
class Expression:
    """An operation on other values.

    ``name`` is ``input`` (of ``number``: which tensor, which row), ``constant`` (of ``number``: its value, or a truth
    value), or an operation of ``OPERATIONS``.
    """

    name: str
    arguments: tuple[Value, ...] = ()
    number: tuple[int, int] | float | bool | None = None


OPERATIONS: dict[str, Callable[..., float | bool]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b if b else math.nan if a == 0.0 or a != a else math.copysign(math.inf, a * b or a),
    "negative": lambda a: -a,
    "absolute": abs,
    "square_root": lambda a: math.sqrt(a) if a >= 0.0 else math.nan,
    "exponential": lambda a: math.exp(a) if a < 709.0 else math.inf,
    "exponential_minus_one": lambda a: math.expm1(a) if a < 709.0 else math.inf,
    "logarithm": lambda a: math.log(a) if a > 0.0 else -math.inf if a == 0.0 else math.nan,
    "sine": math.sin,
    "cosine": math.cos,
    "arccosine": lambda a: math.acos(a) if abs(a) <= 1.0 else math.nan,
    "arctangent": math.atan,
    "minimum": lambda a, b: math.nan if a != a or b != b else min(a, b),
    "maximum": lambda a, b: math.nan if a != a or b != b else max(a, b),
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "equal": lambda a, b: a == b,
    "both": lambda a, b: a and b,
    "either": lambda a, b: a or b,
    "opposite": lambda a: not a,
    "choose": lambda condition, a, b: a if condition else b,
}
TRUTHS = frozenset({"less", "less_equal", "equal", "both", "either", "opposite"})
_SYMMETRIC = frozenset({"add", "multiply", "minimum", "maximum", "equal", "both", "either"})


@dataclass
class Expressions:
    """A growing list of expressions, each written once.

    Simplifications keep the value to the rounding of one operation, with two exceptions that no finite number sees:
    0 x is 0, and x / y with several x of one y is a multiplication by 1 / y.
    """

    all: list[Expression] = field(default_factory=list)
    _known: dict[Expression, Value] = field(default_factory=dict)

    def input(self, tensor: int, row: int) -> Value:
        return self._put(Expression("input", (), (tensor, row)))

    def constant(self, value: float | bool) -> Value:
        # True and 1.0 are equal keys
        return self._put(Expression("truth" if isinstance(value, bool) else "constant", (), value))

    def apply(self, name: str, *arguments: Value) -> Value:
        """The value of an operation, simplified where that is free."""
        values = [self._number(argument) for argument in arguments]
        if all(value is not None for value in values):
            return self.constant(OPERATIONS[name](*values))
        simpler = self._simplified(name, arguments, values)
        if simpler is not None:
            return simpler
        return self._put(Expression(name, tuple(sorted(arguments)) if name in _SYMMETRIC else arguments))

    def _put(self, expression: Expression) -> Value:
        known = self._known.get(expression)
        if known is None:
            known = self._known[expression] = len(self.all)
            self.all.append(expression)
        return known

    def _number(self, value: Value) -> float | bool | None:
        expression = self.all[value]
        return expression.number if expression.name in ("constant", "truth") else None  # type: ignore[return-value]

    def is_truth(self, value: Value) -> bool:
        expression = self.all[value]
        if expression.name == "choose":
            return self.is_truth(expression.arguments[1])
        return expression.name == "truth" or expression.name in TRUTHS

    def _simplified(self, name: str, arguments: tuple[Value, ...], values: list[float | bool | None]) -> Value | None:
        if name == "add":
            for one, other in ((0, 1), (1, 0)):
                if values[one] == 0.0:
                    return arguments[other]
                if self.all[arguments[one]].name == "negative":
                    return self.apply("subtract", arguments[other], self.all[arguments[one]].arguments[0])
        elif name == "subtract":
            if values[1] == 0.0:
                return arguments[0]
            if values[0] == 0.0:
                return self.apply("negative", arguments[1])
            if self.all[arguments[1]].name == "negative":
                return self.apply("add", arguments[0], self.all[arguments[1]].arguments[0])
        elif name == "multiply":
            for one, other in ((0, 1), (1, 0)):
                if values[one] == 0.0:
                    return self.constant(0.0)
                if values[one] == 1.0:
                    return arguments[other]
                if values[one] == -1.0:
                    return self.apply("negative", arguments[other])
        elif name == "divide":
            if values[0] == 0.0:
                return self.constant(0.0)
            if values[1] is not None and values[1] != 0.0:
                return self.apply("multiply", arguments[0], self.constant(1.0 / values[1]))
        elif name in ("negative", "opposite"):
            inner = self.all[arguments[0]]
            if inner.name == name:
                return inner.arguments[0]
            if name == "negative" and inner.name == "subtract":
                return self.apply("subtract", inner.arguments[1], inner.arguments[0])
        elif name == "choose":
            if values[0] is not None:
                return arguments[1] if values[0] else arguments[2]
            if arguments[1] == arguments[2]:
                return arguments[1]
            condition = self.all[arguments[0]]
            if condition.name == "opposite":
                return self.apply("choose", condition.arguments[0], arguments[2], arguments[1])
            if isinstance(values[1], bool) and isinstance(values[2], bool):
                return arguments[0] if values[1] else self.apply("opposite", arguments[0])
        elif name in ("both", "either"):
            absorbing = name == "either"
            for one, other in ((0, 1), (1, 0)):
                if values[one] is not None:
                    return self.constant(absorbing) if values[one] == absorbing else arguments[other]
            if arguments[0] == arguments[1]:
                return arguments[0]
        elif name in ("minimum", "maximum") and arguments[0] == arguments[1]:
            return arguments[0]
        return None


def share_reciprocals(expressions: Expressions, wanted: list[Value]) -> tuple[Expressions, list[Value]]:
    """The same values with one division for all that divide by the same value: a division costs ten multiplications."""
    needed = reachable(expressions, wanted)
    divisors: dict[Value, int] = {}
    for value in needed:
        expression = expressions.all[value]
        if expression.name == "divide":
            divisors[expression.arguments[1]] = divisors.get(expression.arguments[1], 0) + 1
    result, moved = Expressions(), dict[Value, Value]()
    for value in needed:
        expression = expressions.all[value]
        if expression.name == "input":
            moved[value] = result.input(*expression.number)  # type: ignore[misc]
        elif expression.name in ("constant", "truth"):
            moved[value] = result.constant(expression.number)  # type: ignore[arg-type]
        else:
            arguments = [moved[argument] for argument in expression.arguments]
            if expression.name == "divide" and divisors[expression.arguments[1]] > 1:
                inverse = result.apply("divide", result.constant(1.0), arguments[1])
                moved[value] = result.apply("multiply", arguments[0], inverse)
            else:
                moved[value] = result.apply(expression.name, *arguments)
    return result, [moved[value] for value in wanted]


def reachable(expressions: Expressions, wanted: list[Value]) -> list[Value]:
    """What the wanted values need, arguments first: depth first, so that a value is made shortly before its use."""
    order: list[Value] = []
    seen: set[Value] = set()
    for root in wanted:
        stack = [(root, False)]
        while stack:
            value, done = stack.pop()
            if done:
                order.append(value)
                continue
            if value in seen:
                continue
            seen.add(value)
            stack.append((value, True))
            stack.extend((argument, False) for argument in reversed(expressions.all[value].arguments))
    return order
