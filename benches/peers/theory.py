"""The infinite-width kernel and its predictions beside `neural_tangents`, in turns, each in a process of its own, on one core.

    python theory.py --jax PYTHON [--n 1000] [--rounds 3]

PYTHON is the interpreter of the JAX environment (README). Depth 3, ReLU, N inputs of 784 numbers, 10 outputs, 100 times. CPU
seconds without start-up and compilation: `neural_tangents` runs its compiled function once before the clock starts. Both
kernels and both predictions are compared: a fast wrong answer is no answer.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "RAYON")}
ONE_THREAD["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def peer(folder):
    """Runs inside the JAX environment."""
    import time
    import types

    # neural_tangents imports parts of TensorFlow that it does not use here.
    for name in ("tensorflow", "tf2jax", "neural_tangents.experimental"):
        sys.modules[name] = types.ModuleType(name)
    import jax

    jax.config.update("jax_enable_x64", True)
    import neural_tangents as nt
    from neural_tangents import stax

    data = np.load(folder / "x.npz")
    x, y, t = data["x_train"], data["y_train"], data["t"]
    layers = []
    for _ in range(3):
        layers += [stax.Dense(512, W_std=2**0.5, b_std=0.1), stax.Relu()]
    _, _, kernel_fn = stax.serial(*layers, stax.Dense(1, W_std=2**0.5, b_std=0.1))
    kernel = jax.jit(lambda a: kernel_fn(a, None, ("nngp", "ntk")))
    jax.block_until_ready(kernel(x))
    began = time.process_time()
    found = jax.block_until_ready(kernel(x))
    kernel_seconds = time.process_time() - began
    began = time.process_time()
    predict = nt.predict.gradient_descent_mse(found.ntk, y)
    told = np.asarray(jax.block_until_ready(predict(t, np.zeros_like(y), None, None)))
    predict_seconds = time.process_time() - began
    np.savez(folder / "theirs.npz", ntk=np.asarray(found.ntk), f=told)
    print(json.dumps({"kernel": kernel_seconds, "predict": predict_seconds}))


def ours(folder, binary, name):
    settings = ["network.depth=3", "network.sigma_w=1.4142135623730951", "network.sigma_b=0.1"]
    args = [binary, "theory", "--inputs", folder / f"{name}.npz", "--out", folder / f"{name}-k.npz", "--overwrite"]
    args += ["--threads", "1", "--repeat", "3"] + [word for setting in settings for word in ("--set", setting)]
    done = subprocess.run(args, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["cpu_med"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jax", default=sys.executable)
    parser.add_argument("--binary", default=ROOT / "target/release/kernelscope")
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        return peer(args.peer)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        draw = np.random.default_rng(0)
        x = draw.standard_normal((args.n, 784))
        y = np.eye(10)[draw.integers(0, 10, args.n)] - 0.1
        np.savez(folder / "kernel.npz", x_train=x)
        np.savez(folder / "x.npz", x_train=x, y_train=y, t=np.logspace(-1, 4, 100))
        times = {"kernel": [], "predict": [], "their kernel": [], "their predict": []}
        for _ in range(args.rounds):
            times["kernel"].append(ours(folder, args.binary, "kernel"))
            # Kernel, decomposition and 100 times together, less the kernel.
            times["predict"].append(ours(folder, args.binary, "x") - times["kernel"][-1])
            told = subprocess.run(
                [args.jax, __file__, "--peer", folder],
                env={**os.environ, **ONE_THREAD},
                capture_output=True,
                text=True,
                check=True,
            )
            found = json.loads(told.stdout.splitlines()[-1])
            times["their kernel"].append(found["kernel"])
            times["their predict"].append(found["predict"])
        own, other = np.load(folder / "x-k.npz"), np.load(folder / "theirs.npz")
        off = ~np.eye(args.n, dtype=bool)
        for name, a, b in [
            ("kernel", own["ntk_train_train"][off], other["ntk"][off]),
            ("prediction", own["f_train"], other["f"]),
        ]:
            print(f"{name}: largest difference {np.abs(a - b).max() / np.abs(b).max():.1e} of the largest value")
        for name in ("kernel", "predict"):
            a, b = statistics.median(times[name]), statistics.median(times[f"their {name}"])
            print(f"{name}: {a:.3f} s, neural_tangents {b:.3f} s, ratio {a / b:.2f}")


if __name__ == "__main__":
    main()
