"""Errors that a user can mend."""


class InputError(Exception):
    """Bad input: one line naming the file, the variable and what to do.

    The command line prints it without a traceback and exits with code 2.
    """


class MissingExtraError(InputError):
    """An optional dependency is needed and absent."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}: install it with pip install 'dalearn[{extra}]'")
