"""Operations of torch on single numbers, as expressions."""

import math
from collections.abc import Callable

from dalearn.kernels.expressions import Expressions, Value


def as_number(e: Expressions, value: Value) -> Value:
    return e.apply("choose", value, e.constant(1.0), e.constant(0.0)) if e.is_truth(value) else value


def _applied(name: str) -> Callable[..., Value]:
    return lambda e, *values: e.apply(name, *values)


def _arithmetic(name: str) -> Callable[..., Value]:
    def operation(e: Expressions, *values: Value) -> Value:
        return e.apply(name, *(as_number(e, value) for value in values))

    return operation


def power(e: Expressions, base: Value, exponent: Value) -> Value:
    """Whole powers by multiplication, others as the exponential of a logarithm (of a base that is not negative)."""
    number = e.all[exponent].number if e.all[exponent].name == "constant" else None
    if number == 0.5:
        return e.apply("square_root", base)
    if isinstance(number, float) and number == int(number) and abs(number) <= 16:
        if number < 0:
            return e.apply("divide", e.constant(1.0), power(e, base, e.constant(-number)))
        result, square, left = e.constant(1.0), base, int(number)
        while left:
            result = e.apply("multiply", result, square) if left & 1 else result
            left //= 2
            square = e.apply("multiply", square, square) if left else square
        return result
    raised = e.apply("exponential", e.apply("multiply", exponent, e.apply("logarithm", base)))
    if number is not None:
        return raised
    return e.apply("choose", e.apply("equal", exponent, e.constant(0.0)), e.constant(1.0), raised)


def _compose(outer: str, inner: Callable[..., Value]) -> Callable[..., Value]:
    return lambda e, *values: e.apply(outer, inner(e, *values))


def _scaled_before(name: str, factor: float) -> Callable[..., Value]:
    return lambda e, x: e.apply(name, e.apply("multiply", x, e.constant(factor)))


def _scaled_after(name: str, factor: float) -> Callable[..., Value]:
    return lambda e, x: e.apply("multiply", e.apply(name, x), e.constant(factor))


def _tangent(e: Expressions, x: Value) -> Value:
    """The hyperbolic tangent, accurate at both ends: expm1(2 x) / (expm1(2 x) + 2), of -|x|."""
    size = e.apply("absolute", x)
    grown = e.apply("exponential_minus_one", e.apply("multiply", size, e.constant(-2.0)))
    result = e.apply("divide", e.apply("negative", grown), e.apply("add", grown, e.constant(2.0)))
    return e.apply("choose", e.apply("less", x, e.constant(0.0)), e.apply("negative", result), result)


def _sigmoid(e: Expressions, x: Value) -> Value:
    one = e.constant(1.0)
    return e.apply("divide", one, e.apply("add", one, e.apply("exponential", e.apply("negative", x))))


def _sign(e: Expressions, x: Value) -> Value:
    zero, one = e.constant(0.0), e.constant(1.0)
    below = e.apply("choose", e.apply("less", x, zero), e.constant(-1.0), zero)
    return e.apply("choose", e.apply("less", zero, x), one, below)


_LESS, _LESS_EQUAL, _EQUAL = _arithmetic("less"), _arithmetic("less_equal"), _arithmetic("equal")
ELEMENTWISE: dict[str, Callable[..., Value]] = {
    "add": _arithmetic("add"),
    "mul": _arithmetic("multiply"),
    "div": _arithmetic("divide"),
    "neg": _arithmetic("negative"),
    "abs": _applied("absolute"),
    "sqrt": _applied("square_root"),
    "rsqrt": lambda e, x: e.apply("divide", e.constant(1.0), e.apply("square_root", x)),
    "reciprocal": lambda e, x: e.apply("divide", e.constant(1.0), x),
    "square": lambda e, x: e.apply("multiply", x, x),
    "exp": _applied("exponential"),
    "exp2": _scaled_before("exponential", math.log(2.0)),
    "expm1": _applied("exponential_minus_one"),
    "log": _applied("logarithm"),
    "log2": _scaled_after("logarithm", 1.0 / math.log(2.0)),
    "log10": _scaled_after("logarithm", 1.0 / math.log(10.0)),
    "sin": _applied("sine"),
    "cos": _applied("cosine"),
    "acos": _applied("arccosine"),
    "atan": _applied("arctangent"),
    "deg2rad": lambda e, x: e.apply("multiply", x, e.constant(math.pi / 180.0)),
    "tanh": _tangent,
    "sigmoid": _sigmoid,
    "sign": _sign,
    "sgn": _sign,
    "minimum": _applied("minimum"),
    "maximum": _applied("maximum"),
    "lt": _LESS,
    "le": _LESS_EQUAL,
    "gt": lambda e, a, b: _LESS(e, b, a),
    "ge": lambda e, a, b: _LESS_EQUAL(e, b, a),
    "eq": _EQUAL,
    "ne": _compose("opposite", _EQUAL),
    "isnan": lambda e, x: e.apply("opposite", e.apply("equal", x, x)),
    "bitwise_and": _applied("both"),
    "bitwise_or": _applied("either"),
    "bitwise_not": _applied("opposite"),
    "logical_and": _applied("both"),
    "logical_or": _applied("either"),
    "logical_not": _applied("opposite"),
    "where": lambda e, c, a, b: e.apply("choose", c, a, b),
}
