"""The command line.

Exit codes: 0 done, 1 an unexpected failure, 2 bad input, 75 another process of the run ended, 130 interrupted, 143
terminated.  Errors are one line on
standard error; results go to standard output, everything else to standard error.  The commands import what they need
when they run, so that ``dalearn --help`` answers at once.
"""

import argparse
import contextlib
import json
import logging
import math
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from dalearn import __version__
from dalearn.errors import InputError, PeerLost, Stopped
from dalearn.experiments.environment import number_of_processes
from dalearn.experiments.launcher import PEER_LOST, Channel, launch

logger = logging.getLogger("dalearn")

STAGE_COMMANDS = {
    "prepare": ("inputs", "make the inputs from downloaded files (or the twin), or check them"),
    "open-loop": ("open_loop", "make or check the inputs, then run the spin-up and the open loop"),
    "train": ("train", "train the observation operator on the open loop"),
    "assimilate": ("assimilate", "run the analyses from the open loop"),
    "evaluate": ("evaluate", "write tables, figures and report.html"),
}
DIVIDED = ("inputs", "open_loop", "assimilate")  # stages that processes share
ALL_STAGES = tuple(stage for stage, _ in STAGE_COMMANDS.values() if stage != "inputs")


class Parser(argparse.ArgumentParser):
    """Errors in one line, like all other errors of the program."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"dalearn: error: {message} (see {self.prog} --help)\n")


def demo_config() -> Path:
    """The configuration of the shipped twin, which is installed with the package."""
    return Path(__file__).parent / "experiments" / "demo.yaml"


def build_parser() -> Parser:
    """All subcommands with their options."""
    parser = Parser(prog="dalearn", description="Differentiable land data assimilation in PyTorch.")
    parser.add_argument("--version", action="version", version=f"dalearn {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    common = Parser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the traceback of an unexpected failure")
    run = Parser(add_help=False, parents=[common])
    run.add_argument("--run-directory", metavar="DIR", help="where results go (default: runs/<name> right here)")
    run.add_argument(
        "--force",
        action="store_true",
        help="redo the stages that a changed configuration affects; without a change, those of this command",
    )
    run.add_argument(
        "--set",
        action="append",
        default=[],
        dest="changes",
        metavar="KEY=VALUE",
        help="change a key of the configuration, as in twin.areas=[ales]; may be given several times",
    )
    run.add_argument(
        "--processes",
        type=_processes,
        metavar="N",
        help="processes that share the cells, or auto (default: that of the configuration)",
    )

    command = commands.add_parser("run", parents=[run], help="all stages of an experiment; goes on where it stopped")
    command.add_argument("config", type=Path, metavar="CONFIG", help="YAML file, see configs/ for examples")
    command.set_defaults(function=run_stages, stages=ALL_STAGES)
    command = commands.add_parser("demo", parents=[run], help="all stages of the shipped twin experiment")
    command.set_defaults(function=run_stages, stages=ALL_STAGES, config=None)
    for name, (stage, text) in STAGE_COMMANDS.items():
        command = commands.add_parser(name, parents=[run], help=text)
        command.add_argument("config", type=Path, metavar="CONFIG", help="YAML file")
        command.set_defaults(function=run_stages, stages=(stage,))

    command = commands.add_parser(
        "jacobian", parents=[common], help="finite differences against autograd: agreement and cost"
    )
    command.add_argument("config", type=Path, metavar="CONFIG", help="YAML file")
    command.add_argument("--run-directory", metavar="DIR", help="where an earlier run may have left its states")
    command.add_argument("--columns", type=_positive, metavar="N", help="at least so many columns (default: all, once)")
    command.add_argument("--compile", action="store_true", help="time compiled back ends")
    command.add_argument("--json", action="store_true", help="one JSON object on standard output")
    command.set_defaults(function=compare_jacobians)

    command = commands.add_parser("benchmark", parents=[common], help="speed of the model and of the analysis")
    sizes = [100, 1000, 4000, 100_000]
    command.add_argument("--columns", type=_positive, nargs="+", default=sizes, metavar="N", help="sizes to measure")
    command.add_argument("--eager", action="store_true", help="leave out the compiled runs")
    command.add_argument("--threads", type=_positive, default=1, metavar="N", help="CPU threads (default: 1)")
    command.add_argument("--dtype", choices=("float64", "float32"), help="precision (default: both)")
    command.add_argument(
        "--limit", type=float, default=60.0, metavar="SECONDS", help="leave out what would take longer (default: 60)"
    )
    command.add_argument("--json", action="store_true", help="one JSON object on standard output")
    command.set_defaults(function=benchmark)

    command = commands.add_parser(
        "parity", parents=[common], help="the land model against a stored SURFEX run, or a folder of them"
    )
    command.add_argument("case", type=Path, metavar="CASE.nc", help="stored run, or a folder for the table of all")
    command.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    command.add_argument("--eager", action="store_true", help="do not compile")
    command.add_argument("--steps", type=_positive, metavar="N", help="output steps to run (default: all)")
    command.add_argument("--plot", type=Path, metavar="DIR", help="overlay both series in figures in this folder")
    command.add_argument("--json", action="store_true", help="one JSON object on standard output")
    command.set_defaults(function=parity)

    command = commands.add_parser(
        "parity-filter", parents=[common], help="Jacobian, gain, increments and analysis against a stored SODA run"
    )
    command.add_argument("case", type=Path, metavar="CASE.nc")
    command.add_argument("--json", action="store_true", help="one JSON object on standard output")
    command.set_defaults(function=parity_filter)
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def _processes(text: str) -> int | str:
    return text if text == "auto" else _positive(text)


def run_stages(arguments: argparse.Namespace) -> int:
    """``run``, ``demo`` and the single stages."""
    from dalearn.experiments.config import load_config

    path = arguments.config or demo_config()
    config = load_config(path, run_directory=arguments.run_directory, changes=arguments.changes)
    if not number_of_processes() and set(arguments.stages) & set(DIVIDED):
        count = arguments.processes or config.processes
        if count == "auto":
            from dalearn.experiments.processes import choose_processes

            count = choose_processes(config)
        if count > 1:
            code, line = launch(count, arguments.words)
            if line:
                print(f"dalearn: {line}", file=sys.stderr)
            return code
    from dalearn.experiments.pipeline import Pipeline, follow  # seconds of imports, not needed for a mistyped key
    from dalearn.experiments.ranks import Ranks

    ranks = Ranks.meet()
    if not ranks.leads:
        arguments.handler.setLevel(logging.WARNING)
        arguments.handler.setFormatter(logging.Formatter(f"%(asctime)s process {ranks.rank}: %(message)s", "%H:%M:%S"))
        follow(config, ranks)
        return 0
    pipeline = Pipeline(config, sys.argv, ranks)
    names = arguments.stages
    if len(names) > 1:
        names = tuple(name for name in names if name in pipeline.stages)
    arguments.log = pipeline.directory / "log.txt"
    pipeline.run(names, force=arguments.force)
    report = pipeline.directory / "report.html"
    print(report if "evaluate" in names else pipeline.directory.path)
    return 0


def compare_jacobians(arguments: argparse.Namespace) -> None:
    """``jacobian``."""
    from dalearn.experiments.config import load_config

    with _quiet_output(arguments.json):
        config = load_config(arguments.config, run_directory=arguments.run_directory)
        from dalearn.experiments.jacobian_command import compare_backends

        config.compile = arguments.compile
        result = compare_backends(config, arguments.columns)
    if arguments.json:
        _print_json(result)
        return
    print(f"{result['columns']} columns, {result['dtype']}; errors relative to the row maximum, kinks excluded")
    _print_table("variable", result["agreement"])
    _print_table("back end", result["cost"])


def benchmark(arguments: argparse.Namespace) -> None:
    """``benchmark``."""
    import torch

    from dalearn.experiments.benchmark import benchmark_table, run_benchmark

    torch.set_num_threads(arguments.threads)
    names = [arguments.dtype] if arguments.dtype else ["float32", "float64"]
    with _quiet_output(arguments.json):
        result = run_benchmark(
            arguments.columns,
            dtypes=[getattr(torch, name) for name in names],
            eager_only=arguments.eager,
            limit=arguments.limit,
        )
    if arguments.json:
        _print_json(result)
    else:
        print(benchmark_table(result))


def parity(arguments: argparse.Namespace) -> None:
    """``parity``."""
    from dalearn.experiments.parity import run_parity
    from dalearn.experiments.parity_table import parity_table, run_folder

    settings = {"dtype": arguments.dtype, "compiled": not arguments.eager, "limit": arguments.steps}
    if arguments.case.is_dir():
        with _quiet_output(arguments.json):
            results, refused = run_folder(arguments.case, **settings)
        if arguments.json:
            _print_json({"cases": results, "refused": refused})
        else:
            print(parity_table(results, refused))
        return
    with _quiet_output(arguments.json):
        result = run_parity(arguments.case, figures=arguments.plot, **settings)
    if arguments.json:
        _print_json(result)
        return
    print(
        f"{result['case']}, {result['dtype']}; water budget residual {result['water_budget_residual']:.1e} kg m-2 s-1"
    )
    _print_table("variable", result["variables"])


def parity_filter(arguments: argparse.Namespace) -> None:
    """``parity-filter``."""
    from dalearn.experiments.parity_filter import run_parity_filter

    with _quiet_output(arguments.json):
        result = run_parity_filter(arguments.case)
    if arguments.json:
        _print_json(result)
        return
    print(result["case"])
    for backend, values in result["jacobian"].items():
        print(f"  jacobian {backend}: {_parts(values)}")
    for name in ("gain", "increment"):
        if result[name] is not None:
            print(f"  {name}: {_parts(result[name])}")
    for name, values in (result["analysis"] or {}).items():
        print(f"  analysis {name}: {_parts(values)}")


def _parts(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {_short(value)}" for key, value in values.items())


@contextlib.contextmanager
def _quiet_output(active: bool) -> Iterator[None]:
    """Send to standard error what a library prints, where standard output is for the result alone."""
    with contextlib.redirect_stdout(sys.stderr) if active else contextlib.nullcontext():
        yield


def _print_json(value: Any) -> None:
    print(json.dumps(_defined(value), allow_nan=False))


def _defined(value: Any) -> Any:
    """The same with None in the place of numbers that are not finite."""
    if isinstance(value, Mapping):
        return {key: _defined(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print_table(heading: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
    columns = list(next(iter(rows.values())))
    lines = [[heading, *columns], *([name, *(_short(row[column]) for column in columns)] for name, row in rows.items())]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns) + 1)]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return "-" if value is None else str(value)


def _show_log() -> logging.Handler:
    """Log lines on standard error; the file of a run gets the details too."""
    from dalearn.experiments.progress import LogHandler

    handler = LogHandler()
    handler.setLevel(logging.INFO)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    return handler


@contextlib.contextmanager
def _stop_signals() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into ``Stopped``, so that both leave through the same doors."""

    def stop(number: int, _: object) -> NoReturn:
        raise Stopped(number)

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def _how_to_go_on(arguments: argparse.Namespace) -> str:
    if not hasattr(arguments, "stages"):
        return ""
    return f"; the same command{' without --force' * arguments.force} goes on from where it stopped"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    arguments = build_parser().parse_args(argv)
    arguments.words = list(sys.argv[1:] if argv is None else argv)
    arguments.handler = _show_log()
    channel = Channel()
    function: Callable[[argparse.Namespace], int | None] = arguments.function

    def say(line: str) -> None:
        if not channel.tell(line):  # a launcher prints what matters of what its processes say
            print(f"dalearn: {line}", file=sys.stderr)

    try:
        with _stop_signals():
            return function(arguments) or 0
    except InputError as error:
        say(f"error: {error}")
        return 2
    except (Stopped, KeyboardInterrupt) as error:
        number = error.number if isinstance(error, Stopped) else signal.SIGINT
        how = "terminated" if number == signal.SIGTERM else "interrupted"
        say(f"{how}{_how_to_go_on(arguments)}")
        return 128 + number
    except PeerLost as error:
        say(f"stopped: another process of the run has ended ({error}); see what it said")
        return PEER_LOST
    except Exception as error:
        if arguments.debug:
            traceback.print_exc()
        reason = str(error).splitlines()[0] if str(error) else "no message"
        log = getattr(arguments, "log", None)
        where = f"see {log}" if log is not None and log.exists() else "add --debug for the traceback"
        say(f"failed: {type(error).__name__}: {reason}; {where}")
        return 1
    finally:
        logger.removeHandler(arguments.handler)
