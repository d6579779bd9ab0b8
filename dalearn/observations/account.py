"""The account of a product: how many samples were read, kept and rejected, by reason."""

import re
from collections import Counter

import numpy as np

from dalearn.errors import InputError

MOST_REASONS = 127  # the codes are signed bytes in the file


class Account:
    """Gives every reason a code, 0 being ``kept``, and counts the samples.

    Read = kept + all the reasons.  ``averaged`` samples are those that went into the mean of another one.
    """

    def __init__(self) -> None:
        self.names = ["kept"]
        self.numbers: Counter[str] = Counter()

    def code(self, reason: str) -> int:
        """The code of ``reason``, a new one for a new reason."""
        name = re.sub(r"\W+", "_", reason.strip())
        if name not in self.names:
            if len(self.names) > MOST_REASONS:
                raise InputError(
                    f"{reason}: more than {MOST_REASONS} reasons of rejection; check the flags of the files"
                )
            self.names.append(name)
        return self.names.index(name)

    def leave_out(self, reason: str, number: int | np.integer) -> None:
        """Count samples that are not written: they belong to no cell or to another period."""
        if number:
            self.code(reason)
            self.numbers[reason] += int(number)

    def count(self, rejected: np.ndarray) -> None:
        """Count samples that are written, by their codes."""
        numbers = np.bincount(rejected, minlength=len(self.names))
        self.numbers.update({name: int(number) for name, number in zip(self.names, numbers, strict=True) if number})

    @property
    def kept(self) -> int:
        return self.numbers["kept"]

    @property
    def counts(self) -> dict[str, int]:
        """``read``, ``kept`` and the reasons from the most to the least frequent."""
        reasons = {name: number for name, number in self.numbers.most_common() if name != "kept" and number}
        return {"read": sum(reasons.values()) + self.kept, "kept": self.kept, **reasons}

    def __str__(self) -> str:
        return ", ".join(f"{number} {name}" for name, number in self.counts.items())


def reject(rejected: np.ndarray, where: np.ndarray, code: int) -> None:
    """Give ``code`` to the samples ``where`` true that have no reason yet."""
    rejected[where & (rejected == 0)] = code
