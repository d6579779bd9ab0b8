"""Reading a configuration: YAML to typed dataclasses, with errors that name the key.

jsonargparse decides whether a value fits the type of its field; walking the tree here, field by field, is what
lets an error name the whole key (``training.epochs``) and suggest the intended one.
"""

import dataclasses
import difflib
import types
from argparse import ArgumentError
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import yaml
from jsonargparse import ArgumentParser

from dalearn.errors import InputError

MISSING = dataclasses.MISSING


class _UniqueKeyLoader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice, where plain YAML silently keeps the last."""


def _unique_mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]  # type: ignore[no-untyped-call]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise yaml.constructor.ConstructorError(None, None, f"key {twice[0]!r} is given twice", node.start_mark)
    return loader.construct_mapping(node, deep=True)


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; InputError when the file is absent, not YAML or not a mapping."""
    try:
        content = yaml.load(path.read_text(), _UniqueKeyLoader)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a configuration file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file; give a configuration in YAML") from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise InputError(f"{path}: {line}not valid YAML ({error.problem}); mend the line") from error
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: holds no keys; see configs/ for examples")
    return dict(content)


def change_key(content: dict[str, Any], change: str) -> None:
    """Set one key of a configuration from ``key.of.section=value``, the value in YAML.

    Raises InputError when it is not of this form, or when the key leads through something that holds no keys.
    """
    key, separator, text = change.partition("=")
    words = key.strip().split(".")
    if not separator or not all(words):
        raise InputError(f"--set {change}: write it as key=value, for instance twin.seed=4")
    try:
        value = yaml.load(text, _UniqueKeyLoader)
    except yaml.MarkedYAMLError as error:
        raise InputError(f"--set {change}: the value is not valid YAML ({error.problem}); mend it") from error
    section: Any = content
    for number, word in enumerate(words[:-1]):
        if section.get(word) is None:
            section[word] = {}
        section = section[word]
        if not isinstance(section, dict):
            raise InputError(f"--set {change}: {'.'.join(words[: number + 1])} holds no keys; change it as a whole")
    section[words[-1]] = value


def build(hint: Any, value: Any, where: str = "") -> Any:
    """``value`` from YAML as an instance of the type ``hint``; ``where`` is its dotted key.

    Raises InputError, one line starting with the key, for an unknown or missing key or a value of another type.
    """
    if dataclasses.is_dataclass(hint):
        return _build_dataclass(hint, value, where)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        nested = [argument for argument in arguments if _holds_dataclass(argument)]
        if len(nested) == 1:
            return build(nested[0], value, where)
    elif origin is list and _holds_dataclass(arguments[0]):
        if not isinstance(value, list):
            raise InputError(f"{where}: expected a list, got {value!r}")
        return [build(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(value)]
    elif origin is dict and _holds_dataclass(arguments[1]):
        if not isinstance(value, Mapping):
            raise InputError(f"{where}: expected keys and values, got {value!r}")
        return {key: build(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    return _build_value(hint, value, where)


def _build_dataclass(hint: Any, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise InputError(f"{where or 'configuration'}: expected keys and values, got {value!r}")
    types_of = get_type_hints(hint)
    fields = {field.name: field for field in dataclasses.fields(hint) if field.init}
    prefix = f"{where}." if where else ""
    for key in value:
        if key not in fields:
            raise InputError(f"unknown key {prefix}{key}{_suggestion(str(key), list(fields), prefix)}")
    for name, field in fields.items():
        if name not in value and field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"key {prefix}{name} is missing; add it")
    return hint(**{key: build(types_of[key], item, prefix + key) for key, item in value.items()})


def _suggestion(key: str, known: list[str], prefix: str) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    if close:
        return f"; did you mean {prefix}{close[0]}?"
    return f"; known here: {', '.join(known)}"


def _holds_dataclass(hint: Any) -> bool:
    return dataclasses.is_dataclass(hint) or any(_holds_dataclass(argument) for argument in get_args(hint))


@cache
def _parser(hint: Any) -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--value", type=hint)
    return parser


def _build_value(hint: Any, value: Any, where: str) -> Any:
    if isinstance(value, date):  # YAML reads 2007-01-01 as a date; the dataclasses hold text
        value = value.isoformat()
    if hint is Any:
        return value
    try:
        return _parser(hint).parse_object({"value": value}, defaults=False).value
    except (ArgumentError, TypeError, ValueError) as error:  # jsonargparse: one or the other, by type
        raise InputError(f"{where}: expected {_words(hint)}, got {value!r}") from error


def _words(hint: Any) -> str:
    """A type as a user reads it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join("nothing (null)" if item is type(None) else _words(item) for item in arguments)
    if origin is list or origin is tuple:
        return f"a list of {_words(arguments[0])}"
    if origin is dict:
        return f"keys with {_words(arguments[1])}"
    if origin is not None:  # Literal
        return f"one of {', '.join(map(str, arguments))}"
    return {str: "text", int: "a whole number", float: "a number", bool: "true or false"}.get(hint, str(hint))


def plain(value: Any) -> Any:
    """A configuration as dicts, lists, text and numbers, ready for YAML."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value) if field.init}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def overlay(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the values of ``changes``, key by key at every depth."""
    result = dict(base)
    for key, value in changes.items():
        below = result.get(key)
        result[key] = overlay(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result
