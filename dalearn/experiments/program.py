"""The frame of the programs in ``train/``: arguments from a signature, log lines, errors of the user in one line."""

import logging
import sys
from collections.abc import Callable
from typing import Any

from jsonargparse import auto_cli

from dalearn.errors import InputError
from dalearn.experiments.progress import LogHandler


def run_program(function: Callable[..., Any], *, positional: bool = False) -> None:
    """Call ``function`` with the arguments of the command line.

    Its parameters become options, those without a default arguments if ``positional``.  The exit code is 0 when it
    returns and 2, with one line, after an InputError.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[LogHandler()])
    try:
        auto_cli(function, as_positional=positional)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
