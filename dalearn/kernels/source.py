"""Formulas as C++: one function that runs over the columns, a vector of them at a time."""

from importlib.resources import files

import torch

from dalearn.kernels.expressions import Expression, Expressions, Value, reachable, share_reciprocals
from dalearn.kernels.schedule import overlapped
from dalearn.kernels.trace import Formulas

# Statements of one C++ function.  The compiler's time grows faster than their number, so a long formula is cut; what
# one part leaves to the next waits in a scratch array that stays in the fastest cache.
PART = 400
_HEADERS = ("vectors.h", "series.h", "avx512.h")
_INFIX = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "less": "<", "less_equal": "<=", "equal": "=="}
_TRUTH_INFIX = {"both": "&", "either": "|"}


def write_source(formulas: Formulas, dtype: torch.dtype) -> str:
    """The C++ text of ``kernel(inputs, outputs, their strides, columns, threads)`` (``kernel.py``)."""
    wanted = [value for rows in formulas.outputs for value in rows]
    expressions, wanted = share_reciprocals(formulas.expressions, wanted)
    places: dict[Value, list[tuple[int, int]]] = {}
    targets = [(output, row) for output, rows in enumerate(formulas.outputs) for row in range(len(rows))]
    for value, place in zip(wanted, targets, strict=True):
        places.setdefault(value, []).append(place)
    order = overlapped(expressions, reachable(expressions, wanted))
    number = {torch.float32: "float", torch.float64: "double"}[dtype]
    writer = _Writer(expressions, places, order)
    parts = writer.parts()
    calls = "\n".join(f"    part_{index}(in, out, p, q, c, s);" for index in range(len(parts)))
    header = "\n".join(files("dalearn.kernels").joinpath(name).read_text() for name in _HEADERS)
    return f"""#define NUMBER {number}
{header}
typedef const NUMBER *const *In;
typedef NUMBER *const *Out;
typedef const int64_t *Strides;
{"".join(parts)}
extern "C" int kernel_width() {{ return WIDTH; }}

// p and q: columns from one row to the next, of each input and output
extern "C" void kernel(In in, Out out, Strides p, Strides q, int64_t n, int64_t threads) {{
  const int64_t tiles = (n + WIDTH - 1) / WIDTH;
#pragma omp parallel for num_threads(threads) if (threads > 1)
  for (int64_t tile = 0; tile < tiles; ++tile) {{
    // the last vector overlaps the one before it
    const int64_t c = tile == tiles - 1 ? n - WIDTH : tile * WIDTH;
    Vector s[{max(writer.slots, 1)}];
{calls}
  }}
}}
"""


class _Writer:
    """Statements in order, cut into parts."""

    def __init__(
        self, expressions: Expressions, places: dict[Value, list[tuple[int, int]]], order: list[Value]
    ) -> None:
        self.expressions = expressions.all
        self.is_truth = expressions.is_truth
        self.places = places
        self.order = order
        self.slots = 0

    def parts(self) -> list[str]:
        """The text of each part.  A value that a later part needs gets a place in the scratch array."""
        simple = {v for v in self.order if self.expressions[v].name in ("input", "constant", "truth")}
        statements = [value for value in self.order if value not in simple]
        chunks = [statements[first : first + PART] for first in range(0, len(statements), PART)] or [[]]
        part_of = {value: index for index, chunk in enumerate(chunks) for value in chunk}
        last_part: dict[Value, int] = {}
        for value in statements:
            for argument in self.expressions[value].arguments:
                if argument not in simple:
                    last_part[argument] = max(last_part.get(argument, 0), part_of[value])
        lasting = {value for value, last in last_part.items() if last > part_of[value]}
        slot = self._slots(lasting, part_of, last_part)
        texts = []
        for index, chunk in enumerate(chunks):
            known: dict[Value, str] = {}
            lines: list[str] = []
            for value in chunk:
                for argument in self.expressions[value].arguments:
                    self._fetch(argument, known, lines, simple, slot)
                lines.append(self._statement(value, known))
                known[value] = f"v{value}"
                lines += self._stores(value, f"v{value}")
                if value in slot:
                    lines.append(f"  s[{slot[value]}] = {self._stored(value)};")
            if index == len(chunks) - 1:
                for value in self.places:
                    if value in simple:
                        self._fetch(value, known, lines, simple, slot)
                        lines += self._stores(value, known[value])
            body = "\n".join(lines)
            texts.append(
                f"\nstatic __attribute__((noinline))\n"
                f"void part_{index}(In in, Out out, Strides p, Strides q, int64_t c, Vector *s) {{\n{body}\n}}\n"
            )
        return texts

    def _slots(self, lasting: set[Value], part_of: dict[Value, int], last: dict[Value, int]) -> dict[Value, int]:
        """A place for every value that outlives its part, used again once its last part is over."""
        slot: dict[Value, int] = {}
        free: list[int] = []
        ends: dict[int, list[int]] = {}
        done = 0
        for value in sorted(lasting, key=lambda value: (part_of[value], value)):
            while done < part_of[value]:
                free += ends.pop(done, [])
                done += 1
            if not free:
                free.append(self.slots)
                self.slots += 1
            slot[value] = free.pop()
            ends.setdefault(last[value], []).append(slot[value])
        return slot

    def _stored(self, value: Value) -> str:
        return f"(Vector)v{value}" if self.is_truth(value) else f"v{value}"

    def _fetch(
        self, value: Value, known: dict[Value, str], lines: list[str], simple: set[Value], slot: dict[Value, int]
    ) -> None:
        """Make a value known to the part: a constant, a row of an input, or what an earlier part left."""
        if value in known:
            return
        expression = self.expressions[value]
        kind = "Mask" if self.is_truth(value) else "Vector"
        if expression.name == "constant":
            known[value] = f"all({_literal(expression.number)})"  # type: ignore[arg-type]
        elif expression.name == "truth":
            known[value] = "~Mask{}" if expression.number else "Mask{}"
        elif value in simple:
            tensor, row = expression.number  # type: ignore[misc]
            lines.append(f"  const Vector v{value} = load(in[{tensor}] + {row} * p[{tensor}] + c);")
            known[value] = f"v{value}"
        else:
            lines.append(f"  const {kind} v{value} = ({kind})s[{slot[value]}];")
            known[value] = f"v{value}"

    def _statement(self, value: Value, known: dict[Value, str]) -> str:
        expression = self.expressions[value]
        operands = [known[argument] for argument in expression.arguments]
        name = expression.name
        kind = "Mask" if self.is_truth(value) else "Vector"
        if name in _INFIX:
            text = f"{operands[0]} {_INFIX[name]} {operands[1]}"
        elif name in _TRUTH_INFIX:
            text = f"{operands[0]} {_TRUTH_INFIX[name]} {operands[1]}"
        elif name == "negative":
            text = f"-{operands[0]}"
        elif name == "opposite":
            text = f"~{operands[0]}"
        elif name in ("minimum", "maximum"):
            text = self._limited(expression, operands)
        elif name == "choose":
            text = f"{operands[0]} ? {operands[1]} : {operands[2]}"
        else:
            text = f"{name}({', '.join(operands)})"
        return f"  const {kind} v{value} = {text};"

    def _limited(self, expression: Expression, operands: list[str]) -> str:
        for one, other in ((0, 1), (1, 0)):
            limit = self.expressions[expression.arguments[one]]
            if limit.name == "constant":
                word = "at_most" if expression.name == "minimum" else "at_least"
                return f"{word}({operands[other]}, {_literal(limit.number)})"  # type: ignore[arg-type]
        return f"{expression.name}({', '.join(operands)})"

    def _stores(self, value: Value, text: str) -> list[str]:
        return [
            f"  store(out[{output}] + {row} * q[{output}] + c, {text});" for output, row in self.places.get(value, [])
        ]


def _literal(number: float) -> str:
    if number != number:
        return 'NUMBER(__builtin_nan(""))'
    if number in (float("inf"), float("-inf")):
        return f"NUMBER({'-' if number < 0 else ''}__builtin_inf())"
    return f"NUMBER({number!r})"
