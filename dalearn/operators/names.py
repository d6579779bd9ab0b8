"""Checking the names that users write: operators, predictors, options."""

import difflib
import inspect
import re
from collections.abc import Iterable, Sequence

from dalearn.errors import InputError
from dalearn.variables import VARIABLES


def unknown_name(kind: str, name: str, known: Sequence[str]) -> str:
    """One line: what is unknown, the likeliest intention, and everything known."""
    close = difflib.get_close_matches(name.lower(), [item.lower() for item in known], n=1)
    original = {item.lower(): item for item in known}
    hint = f" (did you mean {original[close[0]]}?)" if close else ""
    return f"unknown {kind} {name!r}{hint}; known: {', '.join(compact(known)) or 'none'}"


def compact(names: Iterable[str]) -> list[str]:
    """Names with numbered series written as WG1..WG14, in order of first appearance."""
    series: dict[str, list[int]] = {}
    for name in names:
        stem, digits = re.fullmatch(r"(.*?)(\d*)", name).groups()  # type: ignore[union-attr]
        series.setdefault(stem, []).extend([int(digits)] if digits else [-1])
    result = []
    for stem, numbers in series.items():
        if -1 in numbers:
            result.append(stem)
        numbered = sorted(number for number in numbers if number >= 0)
        if len(numbered) > 2 and numbered == list(range(numbered[0], numbered[-1] + 1)):
            result.append(f"{stem}{numbered[0]}..{stem}{numbered[-1]}")
        else:
            result.extend(f"{stem}{number}" for number in numbered)
    return result


def check_predictors(predictors: Iterable[str]) -> tuple[str, ...]:
    """The predictor names as a tuple; ``InputError`` when there are none, one is unknown, or one comes twice."""
    names = tuple(predictors)
    if not names:
        raise InputError("an observation operator needs at least one predictor, for example WG2")
    for name in names:
        if name not in VARIABLES:
            raise InputError(unknown_name("predictor", name, tuple(VARIABLES)))
        if names.count(name) > 1:
            raise InputError(f"predictor {name} is given more than once")
    return names


def option_names(operator: type) -> tuple[str, ...]:
    """Keyword arguments of a class and, through ``**options``, of its parents."""
    names: list[str] = []
    for parent in operator.__mro__:
        if "__init__" not in vars(parent):
            continue
        parameters = list(inspect.signature(vars(parent)["__init__"]).parameters.values())[1:]
        names += [p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return tuple(name for name in dict.fromkeys(names) if name not in ("cell_count", "predictors"))
