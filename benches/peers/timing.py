"""What every peer shares: its arguments, its clock, its one line of JSON.

A peer is one process with one configuration. It reads the same files as Kernelscope and times the kernel alone: weights and
inputs are in memory, compilation is over, nothing else is cached. What counts is the CPU time of the whole process; the
caller pins it to one core. The fields are those that `kernelscope gram --repeat` prints.
"""

import argparse
import json
import os
import statistics
import time

# Before numpy, torch or jax is imported: they size their pools then.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"


def kernel_arguments(methods):
    arguments = argparse.ArgumentParser()
    arguments.add_argument("method", choices=methods)
    arguments.add_argument("--weights", required=True)
    arguments.add_argument("--inputs", required=True)
    arguments.add_argument("--reduction", choices=["trace", "full"], default="trace")
    timed(arguments)
    on_card(arguments)
    arguments.add_argument("--out", help="the kernel, as .npy: [n, n], or [n·C, n·C] sample-major")
    return arguments.parse_args()


def on_card(arguments):
    """The argument of what can run on a graphics card too; `card.py` asks for it and reads wall-clock time."""
    arguments.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    return arguments


def timed(arguments):
    """The arguments of everything that is timed."""
    arguments.add_argument("--repeat", type=int, default=7)
    arguments.add_argument("--budget", type=float, default=20.0, help="seconds after which no repeat is begun")
    return arguments


def measure(work, repeat, budget):
    """Times `work` after one warm-up. Work that is slower than the budget is its own warm-up. Returns (fields, outcome)."""
    cpu, wall = [], []

    def once():
        began_cpu, began = time.process_time(), time.perf_counter()
        outcome = work()
        cpu.append(time.process_time() - began_cpu)
        wall.append(time.perf_counter() - began)
        return outcome

    outcome = once()
    if wall[0] < budget:
        cpu.clear(), wall.clear()
        while not wall or (len(wall) < repeat and sum(wall) < budget):
            outcome = once()
    fields = {
        "cpu_med": statistics.median(cpu),
        "cpu_min": min(cpu),
        "wall_med": statistics.median(wall),
        "wall_min": min(wall),
        "threads": 1,
        "repeats": len(wall),
    }
    return fields, outcome


def report(fields):
    print(json.dumps(fields))
