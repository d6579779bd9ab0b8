"""Weak scaling: the same number of columns in each of 1, 2, ... processes, started together.

For every number of processes the time of a day of the land model and of one analysis window, the slowest process
counting.  Ideal is the time of the first of the given numbers; the speed-up is the ratio of the numbers x that time /
this time.  CPU time is given besides wall time: where others use the machine too, wall time says little.

    python train/weak_scaling.py --columns 600 --processes 1 2
"""

import argparse
import multiprocessing
import time

import numpy as np
import torch

from dalearn.experiments.benchmark_case import benchmark_case

WHAT = ("day of the land model", "analysis window, 1 observation")


def measure(columns: int, repeats: int, together, results) -> None:
    """In one of the processes: the shortest wall and CPU time of each case."""
    torch.set_num_threads(1)
    case = benchmark_case(columns)
    for timed in (case.forecast, case.analysis("finite_differences", 1)):
        timed()
        together.wait()
        times = []
        for _ in range(repeats):
            wall, cpu = time.perf_counter(), time.process_time()
            timed()
            times.append((time.perf_counter() - wall, time.process_time() - cpu))
        results.put(tuple(np.min(times, axis=0)))
        together.wait()


def run(columns: int, processes: int, repeats: int) -> np.ndarray:
    """(case, wall and CPU) seconds, those of the slowest process."""
    context = multiprocessing.get_context("spawn")
    together, results = context.Barrier(processes), context.Queue()
    arguments = (columns, repeats, together, results)
    workers = [context.Process(target=measure, args=arguments) for _ in range(processes)]
    for worker in workers:
        worker.start()
    slowest = [np.max([results.get() for _ in workers], axis=0) for _ in WHAT]
    for worker in workers:
        worker.join()
    return np.array(slowest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--columns", type=int, default=600, help="in each process")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=10, help="the shortest time counts")
    arguments = parser.parse_args()
    first = None
    for processes in arguments.processes:
        seconds = run(arguments.columns, processes, arguments.repeats)
        first = seconds if first is None else first
        more = processes / arguments.processes[0]
        for what, (wall, cpu), (wall_1, cpu_1) in zip(WHAT, seconds, first, strict=True):
            print(
                f"{processes} x {arguments.columns} columns, {what}: wall {wall:.3f} s, CPU {cpu:.3f} s; "
                f"speed-up {more * wall_1 / wall:.2f} (of CPU times {more * cpu_1 / cpu:.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
