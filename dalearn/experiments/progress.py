"""Progress of a long stage: a bar with rate and remaining time on a terminal, log lines elsewhere."""

import logging
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from tqdm import tqdm

from dalearn.files import write_text

logger = logging.getLogger("dalearn")


def clock(seconds: float) -> str:
    """A duration as people read it: ``45 s``, ``3 min 05 s``, ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Progress:
    """Counts ``unit`` up to ``total``; use as a context manager.

    ``done`` is what an earlier, interrupted run already finished: it counts towards the total but not
    towards the rate.  Away from a terminal one log line is written every ``every`` seconds, with the rate since
    the last one: the first steps, which compile, say nothing about the others.
    """

    def __init__(self, label: str, total: int, unit: str, *, done: int = 0, every: float = 20.0) -> None:
        self.label, self.total, self.unit, self.done, self.every = label, total, unit, done, every
        self._reported_done = done
        self._reported = time.monotonic()
        self._bar: tqdm | None = None
        if sys.stderr.isatty():
            self._bar = tqdm(
                total=total, initial=done, desc=label, unit=f" {unit}", file=sys.stderr, leave=False, dynamic_ncols=True
            )

    def update(self, count: int = 1) -> None:
        self.done += count
        if self._bar is not None:
            self._bar.update(count)
            return
        now = time.monotonic()
        if now - self._reported >= self.every and self.done < self.total:
            logger.info(self.line((self.done - self._reported_done) / (now - self._reported)))
            self._reported, self._reported_done = now, self.done

    def set_total(self, total: int) -> None:
        """Change the end, for work whose length is known only once it has begun."""
        self.total = total
        if self._bar is not None:
            self._bar.total = total

    def line(self, rate: float) -> str:
        """The state of affairs in one line, ``rate`` in units per second."""
        share = 100.0 * self.done / max(self.total, 1)
        text = f"{self.label}: {share:.0f} % ({self.done}/{self.total} {self.unit})"
        if rate > 0.0:
            text += f", {rate:.3g} {self.unit}/s, {clock((self.total - self.done) / rate)} left"
        return text

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


class LogHandler(logging.StreamHandler):
    """Log lines on standard error that do not tear a progress bar apart."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


class PartProgress:
    """Progress of a part among several; one process shows the mean of all parts.

    ``files``: where the parts, in order, note how far they are; ``number`` is this one, ``shown`` whether this process
    shows them.  Nothing is noted of a single part.
    """

    def __init__(self, label: str, files: Sequence[Path], number: int, *, shown: bool, every: float = 1.0) -> None:
        self.label, self.files, self.number, self.shown, self.every = label, list(files), number, shown, every
        self.done = self.total = 0
        self._bar: Progress | None = None
        self._looked = -math.inf

    def start(self, total: int, unit: str, done: int = 0) -> None:
        """Say how much there is, and what of it an earlier run has done."""
        self.total, self.done = total, done
        self._note()
        if self.shown:
            self._bar = Progress(self.label, total, unit, done=self._mean())

    def update(self, count: int = 1) -> None:
        self.done += count
        if self.done == self.total:
            self._note()
        self.refresh()

    def refresh(self) -> None:
        """Note and show the state of affairs, once in a while."""
        alone = len(self.files) == 1
        if not alone and time.monotonic() - self._looked < self.every:
            return
        if self.done < self.total:
            self._note()
        self._looked = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._mean() - self._bar.done)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)

    def __enter__(self) -> "PartProgress":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _note(self) -> None:
        if len(self.files) > 1:
            write_text(self.files[self.number], str(self.done))

    def _mean(self) -> int:
        if len(self.files) == 1:
            return self.done
        return sum(int(path.read_text()) for path in self.files if path.exists()) // len(self.files)
