"""Kernelscope beside its peers, in one run on one core: `python compare.py` prints a Markdown table, `python compare.py
growth` draws how time and memory grow.

Ours and the peers take turns, each configuration in a process of its own, and the medians over the rounds are compared:
machines are noisy, ratios within one run are not. The first round asks every method; after it only those go on that may
still be the fastest of their kind. Every kernel is compared with every other one too: a fast wrong answer is no answer.
What a machine could do at most is measured in the same run (NumPy's f32 product of 2048×2048 matrices, one thread).
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import make
import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OURS = "Kernelscope"
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "RAYON")}

# Kinds of peers, each with its methods: a target is against the fastest of its kind.
KINDS = {
    "neural_tangents": ["STRUCTURED_DERIVATIVES", "JACOBIAN_CONTRACTION", "NTK_VECTOR_PRODUCTS"],
    "torch.func": ["func_jac", "func_jac_mm"],
    "layer-wise": ["layerwise", "layerwise_np"],
    "layer-wise, by rank": ["layerwise_opt"],
    "PyTorch": ["default", "fused"],
    "LAPACK": ["eigvalsh"],
}


@dataclass
class Row:
    """One piece of work: what it is, and what ratio is to be reached against which kind of peer."""

    name: str
    work: str
    targets: dict
    script: str = "kernel"
    model: str = "mlp"
    width: int = 0
    n: int = 0
    reduction: str = "trace"
    also: tuple = ()

    def parameters(self):
        w = self.width
        return 784 * w + w + w * w + w + 10 * w + 10 if self.model == "mlp" else 20_490

    def gflop(self):
        """The layer-wise formula without symmetry, which is what the peers' share of the peak refers to."""
        n, w, c = self.n, self.width, 10
        out = c * c if self.reduction == "full" else c
        if self.script != "kernel":
            return None
        if self.model == "mlp":
            forward = n * (784 * w + w * w + w * c)
            return 2e-9 * (forward + n * c * w * w + n * n * (784 + 2 * w) + 2 * n * n * out * w)
        forward = n * (784 * 144 + 196 * 144 * 32 + 1568 * c)
        return 2e-9 * (forward + 2 * n * c * 196 * 144 * 32 + n * c * 784 * 144 + n * n * (out * 4800 + 1568))


def mlp(width, targets, reduction="trace", also=("torch.func", "layer-wise, by rank")):
    name = f"mlp-{width}-{reduction}"
    return Row(name, f"MLP w={width}, {reduction}, N=256", targets, "kernel", "mlp", width, 256, reduction, also)


ROWS = [
    mlp(512, {"neural_tangents": 0.35, "layer-wise": 0.80}),
    mlp(1024, {"neural_tangents": 0.40, "layer-wise": 0.85}),
    mlp(2048, {"neural_tangents": 0.48, "layer-wise": 0.95}),
    mlp(512, {"neural_tangents": 0.30}, "full", ("layer-wise", "torch.func")),
    Row(
        "cnn-trace",
        "CNN, max pooling, trace, N=128",
        {"neural_tangents": 0.12, "torch.func": 0.35, "layer-wise": 0.60},
        model="cnn",
        n=128,
    ),
    Row("step", "training step, 784-1024-1024-10, batch 128, SGD", {"PyTorch": 1.0}, "step"),
    Row("eigen", "eigenvalues, 512×512, f64", {"LAPACK": 1.35}, "eigen"),
]


@dataclass
class Run:
    """What the processes of one method said."""

    cpu: list = field(default_factory=list)
    rss: list = field(default_factory=list)
    gflop: float = None
    kernel: np.ndarray = None
    why_not: str = None

    def seconds(self):
        return statistics.median(self.cpu) if self.cpu else None


class Machine:
    """Starts one process at a time, pinned to one core and limited to one thread."""

    def __init__(self, given):
        self.given = given
        self.executables = {}

    def run(self, command, timeout):
        """(the fields of its JSON line, its peak resident bytes), or raises Failed with a reason."""
        pin = (lambda: os.sched_setaffinity(0, {self.given.core})) if hasattr(os, "sched_setaffinity") else None
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            child = subprocess.Popen(
                [str(word) for word in command],
                stdout=out,
                stderr=errors,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **ONE_THREAD},
                preexec_fn=pin,
            )
            deadline = time.monotonic() + timeout
            while True:
                # wait4 tells the peak memory of this child alone.
                pid, status, usage = os.wait4(child.pid, os.WNOHANG)
                if pid:
                    break
                if time.monotonic() > deadline:
                    child.kill()
                    os.wait4(child.pid, 0)
                    child.returncode = -9
                    raise Failed(f"> {timeout:.0f} s")
                time.sleep(0.02)
            child.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0), errors.seek(0)
            lines = [line for line in out.read().decode().splitlines() if line.startswith("{")]
            if child.returncode or not lines:
                said = errors.read().decode().strip().splitlines()
                # One sentence: the one that names the error, else the last.
                named = [line for line in said if line.startswith("error")] or said[-1:]
                raise Failed(named[0] if named else f"exit status {child.returncode}")
        unit = 1 if sys.platform == "darwin" else 1024
        return json.loads(lines[-1]), usage.ru_maxrss * unit

    def built(self, kind, name):
        """The executable of a bench or of the program, built by cargo unless it was given."""
        if kind == "bin" and self.given.ours:
            return self.given.ours
        if (kind, name) not in self.executables:
            verb = ["build", "--release"] if kind == "bin" else ["bench", "--no-run"]
            command = ["cargo", *verb, f"--{kind}", name, "--message-format=json"]
            said = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout
            messages = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
            found = [m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == name]
            self.executables[kind, name] = found[-1]
        return self.executables[kind, name]

    def ours(self, row, files, out, repeat):
        if row.script != "kernel":
            return [self.built("bench", row.script), "--bench"]
        weights, inputs = files
        arch = {"mlp": "mlp_relu", "cnn": "cnn_maxpool"}[row.model]
        command = [self.built("bin", "kernelscope"), "gram", "--arch", arch, "--weights", weights, "--inputs", inputs]
        command += ["--reduction", row.reduction, "--device", "cpu", "--threads", 1, "--repeat", repeat, "--out", out]
        return command

    def peer(self, row, method, files, out, repeat):
        timing = ["--repeat", repeat, "--budget", self.given.budget]
        if row.script != "kernel":
            # A step is a hundredth of a second: more of them cost nothing and are steadier.
            return [self.given.torch_python, HERE / f"peer_{row.script}.py", method, "--repeat", 10 * repeat]
        jax = method in KINDS["neural_tangents"]
        python, script = (self.given.jax_python, "peer_jax.py") if jax else (self.given.torch_python, "peer_torch.py")
        weights, inputs = files
        command = [python, HERE / script, method, "--weights", weights, "--inputs", inputs]
        return [*command, "--reduction", row.reduction, "--out", out, *timing]


class Failed(Exception):
    """A process that gave no figure, in words."""


def peak(machine, given):
    """GFLOP/s of NumPy's f32 product on one thread, in a process of its own like everything else."""
    source = (
        "import timing, json, numpy as np\n"
        "a = np.ones((2048, 2048), np.float32)\n"
        "fields, _ = timing.measure(lambda: a @ a, 9, 20)\n"
        "print(json.dumps(fields))"
    )
    fields, _ = machine.run([given.torch_python, "-c", source], given.timeout)
    return 2e-9 * 2048**3 / fields["cpu_med"]


def methods_of(row):
    for kind in [*row.targets, *row.also]:
        for method in KINDS[kind]:
            if method != "layerwise_np" or row.model == "mlp":
                yield kind, method


def compare_row(machine, row, given, folder):
    """{method: Run}, ours first."""
    files = make.make(folder / row.name, row.model, row.width, row.n) if row.script == "kernel" else None
    runs = {OURS: Run(), **{method: Run() for _, method in methods_of(row)}}
    for method, run in runs.items():
        jacobian = 40 * row.n * row.parameters() if row.script == "kernel" else 0
        if method in ("JACOBIAN_CONTRACTION", "func_jac", "func_jac_mm") and jacobian > given.max_gb * 1e9:
            run.why_not = f"its Jacobian takes {jacobian / 1e9:.1f} GB"
    for turn in range(given.rounds):
        for method, run in runs.items():
            if run.why_not or (turn > 0 and beaten(row, method, runs)):
                continue
            out = folder / f"{row.name}-{method}.{'npz' if method == OURS else 'npy'}"
            # The program refuses to replace a file.
            out.unlink(missing_ok=True)
            try:
                command = (
                    machine.ours(row, files, out, given.repeat)
                    if method == OURS
                    else machine.peer(row, method, files, out, given.repeat)
                )
                fields, rss = machine.run(command, given.timeout)
            except (Failed, OSError, subprocess.CalledProcessError) as why:
                run.why_not = str(why)
                continue
            run.cpu.append(fields["cpu_med"])
            run.rss.append(rss)
            run.gflop = fields.get("gflop", row.gflop())
            if run.kernel is None and out.exists():
                stored = np.load(out)
                run.kernel = (stored[row.reduction] if method == OURS else stored).astype(np.float64)
        print(f"  {row.name}: round {turn + 1} of {given.rounds}", file=sys.stderr, flush=True)
    return runs


def beaten(row, method, runs):
    """Whether another method of its kind was more than half again as fast in the first round."""
    for kind in [*row.targets, *row.also]:
        if method in KINDS[kind]:
            others = [runs[other].cpu[0] for other in KINDS[kind] if other in runs and runs[other].cpu]
            return bool(others) and bool(runs[method].cpu) and runs[method].cpu[0] > 1.5 * min(others)
    return False


def difference(kernel, reference):
    return np.linalg.norm(kernel - reference) / np.linalg.norm(reference)


def table(row, runs, peak_rate):
    """Lines of the row's part of the table."""
    ours = runs[OURS]
    # The reference is ours where it is there: what is asked is whether all tools say the same.
    kernels = [run.kernel for run in runs.values() if run.kernel is not None]
    lines = []
    for kind, method in [("", OURS), *methods_of(row)]:
        run = runs[method]
        seconds = run.seconds()
        cells = [row.work if method == OURS else "", f"{kind}: {method}" if kind else method]
        if seconds is None:
            lines.append([*cells, run.why_not or "–", "", "", "", "", ""])
            continue
        in_kind = [runs[other].seconds() for other in KINDS.get(kind, []) if other in runs]
        fastest = kind and seconds == min(value for value in in_kind if value is not None)
        ratio, target = "", ""
        if fastest and ours.seconds():
            reached = ours.seconds() / seconds
            ratio = f"**{reached:.2f}**"
            if kind in row.targets:
                met = "✓" if reached <= row.targets[kind] else "✗"
                target = f"≤ {row.targets[kind]:.2f} {met}"
        elif fastest and kind in row.targets:
            target = f"≤ {row.targets[kind]:.2f}"
        share = f"{100 * run.gflop / seconds / peak_rate:.0f} %" if run.gflop else ""
        same = f"{difference(run.kernel, kernels[0]):.0e}" if run.kernel is not None else ""
        cells += [f"{1e3 * seconds:.1f}", ratio, target, share, same, f"{max(run.rss) / 2**20:.0f}"]
        lines.append(cells)
    return lines


def markdown(lines):
    head = ["work", "tool", "CPU ms", "ours ÷ it", "to reach", "share of peak", "rel. difference", "peak RSS, MiB"]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *lines])


def versions(given):
    lines = []
    ask = "import sys, importlib.metadata as m; print(', '.join(f'{p} {m.version(p)}' for p in sys.argv[1:]))"
    for python, packages in (
        (given.torch_python, ["torch", "numpy"]),
        (given.jax_python, ["neural-tangents", "jax", "jaxlib"]),
    ):
        said = subprocess.run([python, "-c", ask, *packages], capture_output=True, text=True, check=False)
        lines.append(said.stdout.strip() or f"{packages[0]} is not installed")
    return "; ".join(lines)


def compare(given):
    machine = Machine(given)
    unknown = set(given.rows) - {row.name for row in ROWS}
    if unknown:
        raise SystemExit(f"no such rows: {', '.join(sorted(unknown))}; there are {', '.join(row.name for row in ROWS)}")
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(HERE)
        peaks = []
        for row in ROWS:
            if given.rows and row.name not in given.rows:
                continue
            peaks.append(peak(machine, given))
            runs = compare_row(machine, row, given, Path(folder))
            peaks.append(peak(machine, given))
            lines += table(row, runs, statistics.median(peaks[-2:]))
            # What is known so far, for a run that is cut off.
            print(markdown(lines), file=sys.stderr, flush=True)
    print(markdown(lines))
    print(
        f"\nMedians of {given.rounds} alternating processes, of {given.repeat} repeats each; CPU time of the process, one "
        f"thread on one core. Peak f32 matrix rate in the same run: {statistics.median(peaks):.0f} GFLOP/s (NumPy). "
        f"RSS is that of the whole process, in which a peer's imports alone take some hundred MiB. {versions(given)}."
    )


def growth(given):
    """Time and memory of ours against N and width, as growth.csv and, with matplotlib, growth.png."""
    machine = Machine(given)
    given.out.mkdir(parents=True, exist_ok=True)
    series = [("N", [(n, 1024) for n in (64, 128, 256, 512, 1024)])]
    series += [("width", [(256, width) for width in (256, 512, 1024, 2048, 4096)])]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for against, points in series:
            for n, width in points:
                row = Row("growth", "", {}, width=width, n=n)
                files = make.make(Path(folder) / f"{n}-{width}", "mlp", width, n)
                out = Path(folder) / f"{n}-{width}.npz"
                cpu, peak_bytes, rss = [], None, []
                for _ in range(given.rounds):
                    out.unlink(missing_ok=True)
                    try:
                        fields, resident = machine.run(machine.ours(row, files, out, given.repeat), given.timeout)
                    except Failed as why:
                        raise SystemExit(f"kernelscope gram gave no figure: {why}") from why
                    cpu.append(fields["cpu_med"]), rss.append(resident)
                    peak_bytes = fields.get("peak_bytes")
                rows.append([against, n, width, statistics.median(cpu), peak_bytes, max(rss), fields.get("gflop")])
                print(*rows[-1], sep=",", file=sys.stderr, flush=True)
    with open(given.out / "growth.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["against", "n", "width", "cpu_seconds", "peak_bytes", "rss_bytes", "gflop"])
        writer.writerows(rows)
    try:
        import matplotlib
    except ImportError:
        print("matplotlib is not installed: growth.csv was written, no picture", file=sys.stderr)
        return
    matplotlib.use("agg")
    draw_growth(rows, given.out / "growth.png")


def draw_growth(rows, path):
    """Two panels, against N and against width: CPU seconds and bytes, both logarithmic."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter

    def plain(axis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(ScalarFormatter())

    blue, orange = "#0072B2", "#D55E00"
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for panel, (against, column, fixed) in zip(panels, (("N", 1, "width 1024"), ("width", 2, "N = 256"))):
        own = [row for row in rows if row[0] == against]
        x = [row[column] for row in own]
        panel.loglog(x, [1e3 * row[3] for row in own], "o-", color=blue)
        panel.set_xlabel(f"{'probes N' if against == 'N' else 'width'}   (MLP 784-w-w-10, trace, {fixed})")
        panel.set_ylabel("CPU time of a kernel, one thread (ms)", color=blue)
        panel.grid(True, which="major", alpha=0.25)
        memory = panel.twinx()
        told = all(row[4] for row in own)
        memory.loglog(x, [(row[4] if told else row[5]) / 2**20 for row in own], "s--", color=orange)
        memory.set_ylabel("peak memory of the program (MiB)", color=orange)
        plain(panel.yaxis), plain(memory.yaxis)
        # After both are drawn: each sets the ticks of the axis that they share.
        panel.set_xticks(x, [str(value) for value in x])
        panel.xaxis.set_minor_locator(NullLocator())
    figure.savefig(path, dpi=150)


def main():
    peers = Path(os.environ.get("PEERS", ROOT / "target" / "peers"))
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("mode", nargs="?", choices=["table", "growth"], default="table")
    arguments.add_argument("--rows", nargs="*", default=[], metavar="ROW", help=", ".join(row.name for row in ROWS))
    arguments.add_argument("--ours", type=Path, help="the kernelscope executable; built by cargo if not given")
    arguments.add_argument("--torch-python", default=peers / "torch" / "bin" / "python")
    arguments.add_argument("--jax-python", default=peers / "jax" / "bin" / "python")
    arguments.add_argument("--rounds", type=int, default=5, help="processes of each method, taking turns")
    arguments.add_argument("--repeat", type=int, default=7, help="repeats in each process")
    arguments.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="the core to pin to")
    arguments.add_argument("--budget", type=float, default=15.0, help="seconds of repeats per process")
    arguments.add_argument("--timeout", type=float, default=120.0, help="seconds per process")
    arguments.add_argument("--max-gb", type=float, default=4.0, help="a larger Jacobian is not asked for")
    arguments.add_argument("--out", type=Path, default=Path.cwd(), help="folder of growth.csv and growth.png")
    given = arguments.parse_args()
    given.ours = given.ours and given.ours.resolve()
    compare(given) if given.mode == "table" else growth(given)


if __name__ == "__main__":
    main()
