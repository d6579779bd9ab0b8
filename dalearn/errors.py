"""Errors that a user can mend."""


class InputError(Exception):
    """Bad input: one line naming the file, the variable and what to do.

    The command line prints it without a traceback and exits with code 2.
    """


class Stopped(BaseException):
    """A signal asked the process to end: ``number``, SIGINT or SIGTERM.

    Not an Exception, so that nothing mistakes it for a failure, and not a KeyboardInterrupt, on which Lightning ends
    the process without a word.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class PeerLost(Exception):
    """Another process of the run has ended before its time; the error is its own, and it tells it."""


class MissingExtraError(InputError):
    """An optional dependency is needed and absent."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}: install it with pip install 'dalearn[{extra}]'")
