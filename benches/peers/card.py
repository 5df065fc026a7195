"""Kernelscope on a graphics card, beside its peers on the same card, in one run: `python card.py` for the day on which there is one.

Four parts, each of which says what it found and whether that is enough:

1. every network's kernels on the card against the processor's, and how often the processor waits (the tests `card` and `gpu`);
2. the trace kernel of 512 inputs of an MLP 784-w-w-10 at widths 1024, 4096 and 8192: ours, the layer-wise formula by hand in
   PyTorch, and `neural_tangents`, each kernel compared with ours;
3. a training step, ours and PyTorch's;
4. ten minutes of training and measuring, in which the memory of process and card must stay where it is.

Times are wall-clock medians with everything compiled. `--small` does all of it at sizes for a software driver, with the peers on the
processor: it shows that the script works, and its times mean nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import make
import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PEERS = Path(os.environ.get("PEERS", ROOT / "target" / "peers"))
WITHIN = 1e-4
# What is to be reached: not more than so many times the time of the formula by hand, from this width on.
TIMES, FROM = 3, 4096


class Failed(Exception):
    """A process that gave no figure, in words."""


def run(command, timeout=3600):
    """The fields of a process's JSON line."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=timeout, cwd=HERE, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        said = done.stderr.strip().splitlines()
        # The line that names the error, else the last.
        named = [line for line in said if line.split(":")[0].endswith(("error", "Error"))] or said
        raise Failed(named[-1] if named else f"exit status {done.returncode}")
    return json.loads(lines[-1])


def built(kind, name):
    """The executable of the program, of a bench or of the tests, built by cargo."""
    verb = {"bin": ["build", "--release"], "bench": ["bench", "--no-run"], "test": ["test", "--release", "--no-run"]}[kind]
    command = ["cargo", *verb, f"--{kind}", name, "--message-format=json"]
    said = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout
    messages = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return [m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == name][-1]


def correctness(given):
    """Runs the tests that hold the card to the processor."""
    failed = False
    for suite in ("suite::card", "suite::gpu"):
        done = subprocess.run([given.tests, suite, "--nocapture"], cwd=ROOT, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        for line in said.splitlines():
            if " from the " in line or "launches" in line or line.startswith(("test result", "SKIPPED")):
                print(f"    {line}")
        failed |= done.returncode != 0 or "SKIPPED" in said
    return [] if not failed else ["the tests of the card failed or were left out"]


def difference(kernel, reference):
    return np.linalg.norm(kernel - reference) / np.linalg.norm(reference)


def kernels(given, folder):
    """Prints the table of kernels; returns what is not as it should be."""
    device = ["--device", "cpu" if given.small else "cuda"]
    wrong = []
    print("| width | tool | ms | ours ÷ it | rel. difference |\n|---|---|---|---|---|")
    for width in given.widths:
        weights, inputs = make.make(folder / f"mlp-{width}", "mlp", width, given.n)
        files = ["--weights", weights, "--inputs", inputs]
        ours = [given.ours, "gram", "--arch", "mlp_relu", *files, "--repeat", given.repeat]
        torch = [given.torch_python, HERE / "peer_torch.py"]
        jax = [given.jax_python, HERE / "peer_jax.py"]
        timing = ["--repeat", given.repeat, *files, *device]
        tools = {
            "Kernelscope": [*ours, "--device", "gpu"],
            "Kernelscope on the processor": [*ours, "--device", "cpu"],
            "PyTorch, layer-wise by hand": [*torch, "layerwise", *timing],
            "PyTorch, by rank": [*torch, "layerwise_opt", *timing],
            "neural_tangents, structured": [*jax, "STRUCTURED_DERIVATIVES", *timing],
            "neural_tangents, products": [*jax, "NTK_VECTOR_PRODUCTS", *timing],
        }
        seconds, reference = {}, None
        for tool, command in tools.items():
            is_ours = tool.startswith("Kernelscope")
            out = folder / f"{width}-{len(seconds)}.{'npz' if is_ours else 'npy'}"
            try:
                seconds[tool] = run([*command, "--out", out])["wall_med"]
            except (Failed, OSError, subprocess.TimeoutExpired) as why:
                print(f"| {width} | {tool} | {why} | | |")
                if is_ours:
                    wrong.append(f"width {width}: {tool}: {why}")
                continue
            stored = np.load(out)
            kernel = (stored["trace"] if is_ours else stored).astype(np.float64)
            reference = kernel if reference is None else reference
            off = difference(kernel, reference)
            ratio = seconds.get("Kernelscope", float("nan")) / seconds[tool]
            print(f"| {width} | {tool} | {1e3 * seconds[tool]:.1f} | {ratio:.2f} | {off:.0e} |", flush=True)
            if off > WITHIN:
                wrong.append(f"width {width}: {tool} is {off:.0e} from ours")
        ratio = seconds.get("Kernelscope", 0) / seconds.get("PyTorch, layer-wise by hand", float("inf"))
        if width >= FROM and ratio > TIMES:
            wrong.append(f"width {width}: {ratio:.1f} times the time of the formula by hand, and not {TIMES}")
        others = [value for tool, value in seconds.items() if tool.startswith("neural_tangents")]
        if not given.small and others and seconds.get("Kernelscope", 0) > min(others):
            wrong.append(f"width {width}: behind neural_tangents")
    return wrong


def step(given):
    device = "cpu" if given.small else "cuda"
    steps = 5 if given.small else 200
    for tool, command in {
        "Kernelscope": [given.step, "gpu", steps],
        "PyTorch": [given.torch_python, HERE / "peer_step.py", "default", "--repeat", steps, "--device", device],
    }.items():
        try:
            print(f"    {tool}: {1e3 * run(command)['wall_med']:.2f} ms")
        except (Failed, OSError, subprocess.TimeoutExpired) as why:
            print(f"    {tool}: {why}")
            if tool == "Kernelscope":
                return [f"a training step: {why}"]
    return []


def resident(pid):
    """MiB of the process, and of the card where its driver tells."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    own = next((int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS")), 0.0)
    ask = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        said = []
    return own, float(said[0]) if said else 0.0


def memory(given, folder):
    """Trains and measures for some minutes; the last third must not need more than the middle one."""
    sizes = ["network.width=16", "data.per_class=40"] if given.small else ["network.width=1024"]
    changes = [*sizes, "tasks.epochs=[100000,1]", "kernel.per_epoch=2"]
    command = [given.ours, "run", "--device", "gpu", "--out", folder / "run"]
    command += [word for change in changes for word in ("--set", change)]
    samples = []
    with open(folder / "said", "w", encoding="utf-8") as said:
        child = subprocess.Popen([str(word) for word in command], stdout=said, stderr=said)
        until = time.monotonic() + 60 * given.minutes
        while time.monotonic() < until and child.poll() is None:
            time.sleep(min(5, 2 * given.minutes))
            if child.poll() is None:
                samples.append(resident(child.pid))
        ended = child.poll()
        child.terminate()
        child.wait()
    third = len(samples) // 3
    if ended is not None or third == 0:
        return [f"the run of some minutes ended: {(folder / 'said').read_text().strip().splitlines()[-1:]}"]
    wrong = []
    for place, what in enumerate(("the process", "the card")):
        middle, last = (max(sample[place] for sample in part) for part in (samples[third : 2 * third], samples[2 * third :]))
        print(f"    {what}: {middle:.0f} MiB in the middle third, {last:.0f} MiB in the last")
        # The history that a run keeps grows to its bound in the first minutes.
        if last > 1.1 * middle + 16:
            wrong.append(f"the memory of {what} grows: {middle:.0f} to {last:.0f} MiB")
    return wrong


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--small", action="store_true", help="sizes for a software driver")
    arguments.add_argument("--minutes", type=float, default=None, help="of the run whose memory is watched: 10")
    arguments.add_argument("--repeat", type=int, default=7)
    arguments.add_argument("--ours", help="the program; built by cargo if it is not given, as are the next two")
    arguments.add_argument("--tests", help="the program of the tests")
    arguments.add_argument("--step", help="the bench `step`")
    arguments.add_argument("--torch-python", default=PEERS / "torch" / "bin" / "python")
    arguments.add_argument("--jax-python", default=PEERS / "jax" / "bin" / "python")
    given = arguments.parse_args()
    given.n, given.widths = (16, [16, 32]) if given.small else (512, [1024, 4096, 8192])
    given.minutes = given.minutes or (0.5 if given.small else 10)
    given.ours = given.ours or built("bin", "kernelscope")
    given.tests = given.tests or built("test", "main")
    given.step = given.step or built("bench", "step")
    print(subprocess.run([given.ours, "devices"], capture_output=True, text=True, check=False).stdout)
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for title, part in {
            "The card against the processor": lambda: correctness(given),
            f"The trace kernel of {given.n} inputs": lambda: kernels(given, folder),
            "A training step, 784-1024-1024-10, batch 128": lambda: step(given),
            f"Memory in {given.minutes:g} minutes": lambda: memory(given, folder),
        }.items():
            print(f"\n{title}\n", flush=True)
            wrong += part()
    print("\n" + ("\n".join(f"NOT AS IT SHOULD BE: {line}" for line in wrong) or "Everything is as it should be."))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
