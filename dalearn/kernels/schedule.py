"""The order of statements in which a processor waits least for their operands.

A processor starts whatever has its operands among the next hundred instructions or so.  A logarithm and its exponential
are sixty of them, each waiting for the one before: written one after the other two or three such chains overlap,
written by turns many do.
"""

from collections import deque

from dalearn.kernels.expressions import Expressions, Value

# Statements among which the next one is chosen: more of them keep more values waiting, which the registers do not hold.
WINDOW = 64
# Cycles until the result can be used, and cycles that other statements wait, for a vector of 64 bytes on recent
# processors; only their rough size matters.
_OTHERS = (4, 1)
_CYCLES = {
    "divide": (13, 5),
    "square_root": (20, 10),
    "exponential": (45, 16),
    "logarithm": (45, 20),
    "exponential_minus_one": (60, 25),
    "sine": (50, 25),
    "cosine": (50, 25),
    "arctangent": (200, 200),
    "arccosine": (200, 200),
    "minimum": (6, 2),
    "maximum": (6, 2),
}


def overlapped(expressions: Expressions, order: list[Value]) -> list[Value]:
    """The same values, arguments first: always the one of the next ``WINDOW`` that can start soonest."""
    simple = [value for value in order if not expressions.all[value].arguments]
    usable = dict.fromkeys(simple, 0)  # from which cycle on
    rest = deque(value for value in order if value not in usable)
    near = [rest.popleft() for _ in range(min(WINDOW, len(rest)))]
    result, now = simple, 0
    while near:
        place, start = _soonest(expressions, near, usable, now)
        value = near.pop(place)
        latency, cost = _CYCLES.get(expressions.all[value].name, _OTHERS)
        now, usable[value] = start + cost, start + latency
        result.append(value)
        if rest:
            near.append(rest.popleft())
    return result


def _soonest(expressions: Expressions, near: list[Value], usable: dict[Value, int], now: int) -> tuple[int, int]:
    """Which of the near values can start first, and when; of several the one that is needed first."""
    best = -1, 0
    for place, value in enumerate(near):
        arguments = expressions.all[value].arguments
        if any(argument not in usable for argument in arguments):
            continue
        start = max(now, *(usable[argument] for argument in arguments))
        if best[0] < 0 or start < best[1]:
            best = place, start
        if start == now:
            break
    return best
