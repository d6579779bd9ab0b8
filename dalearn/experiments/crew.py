"""Dividing a stage among the processes of the run.

The leader goes through the stages; when one is to be done in parts it gives the order and does its own share, as the
others do, which know nothing but orders.  A part works in a folder of its own and leaves everything there, so that a
run that is continued, with as many processes as it likes, redoes no part that is done.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dalearn.experiments.parts import Part, plan_parts, read_parts, write_parts
from dalearn.experiments.progress import PartProgress
from dalearn.experiments.ranks import Ranks
from dalearn.experiments.run_directory import RunDirectory
from dalearn.experiments.setup import Setup
from dalearn.grid import Grid

logger = logging.getLogger("dalearn")


@dataclass(frozen=True)
class Share:
    """What a process is to do of a stage: a part of the cells.

    ``folder`` is that of the part; ``setup`` the experiment on its cells.
    """

    part: Part
    directory: RunDirectory
    folder: Path
    setup: Setup
    progress: PartProgress


Work = Callable[[Share], None]


class Crew:
    """The processes of a run; ``works`` are what they can be told to do, by stage."""

    def __init__(self, ranks: Ranks, works: Mapping[str, Work]) -> None:
        self.ranks = ranks
        self.works = works
        self._current: tuple[Part, Setup] | None = None

    def plan(self, stage: str, grid: Grid, directory: RunDirectory) -> list[Part]:
        """The parts of ``stage``: those of the run that began it, whatever the number of processes is now."""
        folder = directory.partial(stage)
        parts = read_parts(folder)
        if parts is None:
            parts = plan_parts(grid, self.ranks.size)
            write_parts(folder, parts)
        if len(parts) > 1:
            logger.info("%s: in %d parts by %d processes", stage.replace("_", " "), len(parts), self.ranks.size)
        return parts

    def run(self, stage: str, parts: Sequence[Part], setup: Setup, directory: RunDirectory) -> list[Path]:
        """Have ``stage`` done by all processes; returns the folders of its ``parts`` when they are complete."""
        if len(parts) > 1:
            setup.forget_forcing()
        self.ranks.share((stage, parts))
        progress = self._do(stage, parts, setup, directory)
        self.ranks.wait(progress.refresh if progress is not None else None)
        if progress is not None:
            progress.close()
        return [directory.partial(stage) / part.name for part in parts]

    def serve(self, setup: Setup, directory: RunDirectory) -> None:
        """Follow the orders of the leader until it has no more; the log is one of this process alone."""
        handler: logging.Handler | None = None
        try:
            while (order := self.ranks.share()) is not None:
                if handler is None:  # the leader makes the directory before it gives orders
                    handler = directory.open_log(logger, f"stages/log_{self.ranks.rank}.txt")
                stage, parts = order
                self._do(stage, parts, setup, directory)
                self.ranks.wait()
        except Exception:
            logger.debug("stopped", exc_info=True)
            raise
        finally:
            if handler is not None:
                logger.removeHandler(handler)
                handler.close()

    def dismiss(self) -> None:
        """Tell the others that there is nothing more to do."""
        self.ranks.share(None)

    def _do(self, stage: str, parts: Sequence[Part], setup: Setup, directory: RunDirectory) -> PartProgress | None:
        """The share of this process; returns the progress of its last part."""
        partial = directory.partial(stage)
        files = [partial / part.name / "progress" for part in parts]
        progress = None
        for part in parts[self.ranks.rank :: self.ranks.size]:
            if progress is not None:
                progress.close()
            progress = PartProgress(stage.replace("_", " "), files, part.number, shown=self.ranks.leads)
            of_part = self._setup(setup, part) if len(parts) > 1 else setup
            self.works[stage](Share(part, directory, partial / part.name, of_part, progress))
        return progress

    def _setup(self, setup: Setup, part: Part) -> Setup:
        """That of the part; the last one is kept, for it holds the forcing that the next stage needs too."""
        if self._current is None or self._current[0] != part:
            self._current = None
            self._current = part, setup.of_part(part)
        return self._current[1]
