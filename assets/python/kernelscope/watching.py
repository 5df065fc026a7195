"""The writer of a watched folder: probes once, and weights step by step, while a training goes on elsewhere."""

import json
import math
import os
import time

from . import files
from .errors import KernelscopeError
from .version import __version__

FORMAT = 1

# Steps are names of files of twelve digits.
MOST = 10**12


class Watch:
    """Writes what Kernelscope needs to show the kernel of a network while you train it.

        kernelscope.export(model, inputs, "watched")
        watch = kernelscope.Watch("watched", inputs, labels, tasks)
        for step, batch in enumerate(batches):
            if watch.due(step, task):
                watch.save(step, model.state_dict(), task=task)
            train(batch)

    folder: where the files go. It holds the graph that `kernelscope.export` wrote, unless `network` is given.
    inputs, labels: the probes, on which the kernel is measured: a few images or sentences of each class with their classes, or
        with the numbers to predict. From 20 to 200 of them; they are never trained on by anyone but you.
    tasks: the task of each probe, counted from 0; all are of one task where it is left out.
    every, lag: `due` asks for a pair of steps, `lag` apart, `every` so many steps. The kernel's velocity is what changed within
        a pair.
    network: the name of a network that comes with Kernelscope, such as "resnet18", in place of a graph.

    A file is there complete or not at all, and a step counts when its line stands in `log.jsonl`: a training that is killed
    leaves nothing half written, and one that starts again from an earlier step takes the later ones back. In a training of
    several processes, one of them saves.
    """

    def __init__(self, folder, inputs, labels, tasks=None, every=50, lag=10, network=None):
        if not 1 <= lag <= every:
            raise KernelscopeError(f"the lag is to be from 1 to every={every} steps, and is {lag}")
        self.folder, self.every, self.lag, self.network = os.fspath(folder), int(every), int(lag), network
        self._steps = os.path.join(self.folder, "steps")
        self._log = os.path.join(self.folder, "log.jsonl")
        probes = {"inputs": inputs, "labels": labels} | ({} if tasks is None else {"tasks": tasks})
        probes = {name: files.array_of(name, value) for name, value in probes.items()}
        self._count = files.length_of(probes["inputs"])
        for name, array in probes.items():
            if files.length_of(array) != self._count:
                raise KernelscopeError(f"there are {self._count} inputs and {files.length_of(array)} {name}; give one of each")
        if self._count < 2:
            raise KernelscopeError("a kernel is between probes: give at least two inputs")
        os.makedirs(self._steps, exist_ok=True)
        for name in os.listdir(self._steps):
            if name.endswith(".part"):
                os.remove(os.path.join(self._steps, name))
        self._lines = self._read_log()
        self._begun = False
        self._task, self._from = None, None
        self._targets = None
        about = {"format": FORMAT, "kernelscope": __version__, "every": self.every, "lag": self.lag, "network": network}
        files.write_text(os.path.join(self.folder, "watch.json"), json.dumps(about) + "\n")
        # Steps that are there were measured on the probes that are there: others have to wait until those steps are gone.
        self._probes = files.safetensors(probes)
        if not self._lines or self._same_probes():
            self._write_probes()

    def due(self, step, task=None):
        """Whether this step is to be saved: it begins or ends one of the pairs.

        With `task`, a further pair begins where the task is another than at the last call, so that a switch is not missed.
        """
        if task is not None and task != self._task:
            if self._task is not None:
                self._from = step
            self._task = task
        of_task = self._from is not None and step - self._from in (0, self.lag)
        return of_task or step % self.every == 0 or (step >= self.lag and (step - self.lag) % self.every == 0)

    def save(self, step, tensors, task=None, loss=None, **numbers):
        """Writes one step: its weights, and a line of the log.

        step: how many updates were made. One that is not after the last takes back that step and all after it.
        tensors: the module's `state_dict()`, also where it is compiled or parallel; or {"gram": K} where you have the kernel
            of the probes yourself.
        task: the task being trained, counted from 0. loss and further numbers are shown over time.
        """
        step = whole("step", step)
        if step >= MOST:
            raise KernelscopeError(f"step {step} is beyond what a file name has room for; count steps from 0")
        line = {"step": step, "file": f"{step:012}.safetensors", "time": time.time()}
        if task is not None:
            line["task"] = whole("task", task)
        if loss is not None:
            numbers = {"loss": loss, **numbers}
        for name, value in numbers.items():
            if name in line:
                raise KernelscopeError(f"{name} is a name of Kernelscope's own; give the number another")
            line[name] = number(name, value)
        tensors = self._kernel(tensors) if set(tensors) == {"gram"} else self._weights(tensors)
        self._take_back(step)
        if self._probes is not None:
            if self._lines:
                raise KernelscopeError(
                    f"{self.folder} holds steps that were saved with other probes; start again from step 0, give the same "
                    "probes, or take another folder"
                )
            self._write_probes()
        metadata = {"format": "pt", "step": str(step), "kernelscope": __version__}
        files.write_safetensors(os.path.join(self._steps, line["file"]), tensors, metadata)
        self._append(line)

    def _kernel(self, tensors):
        gram = files.array_of("gram", tensors["gram"])
        if getattr(gram, "shape", None) != (self._count, self._count):
            raise KernelscopeError(f"gram is to be a table of {self._count} × {self._count} numbers, one for each pair of probes")
        return {"gram": gram}

    def _weights(self, tensors):
        """The tensors under the names that the graph has for them."""
        tensors = {name.replace("._orig_mod.", "."): tensor for name, tensor in tensors.items()}
        wanted = self._graph_targets()
        while not (wanted and wanted <= set(tensors)):
            prefix = next((prefix for prefix in PREFIXES if all(name.startswith(prefix) for name in tensors)), None)
            if prefix is None or not tensors:
                break
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
        missing = sorted(wanted - set(tensors))
        if missing:
            raise KernelscopeError(
                f"{missing[0]}, which the graph in {self.folder} has, is not among the tensors; save the state_dict() of the "
                "module that was exported, or export this one"
            )
        return tensors

    def _graph_targets(self):
        """The names of the parameters of the graph; none where a network of Kernelscope's own is watched."""
        if self.network is not None:
            return set()
        if self._targets is None:
            try:
                with open(os.path.join(self.folder, "graph.json"), encoding="utf-8") as file:
                    lines = json.load(file)["lines"]
            except FileNotFoundError:
                raise KernelscopeError(
                    f"{self.folder} has no graph.json; call kernelscope.export(module, inputs, folder) before the first save, "
                    'or name a network of Kernelscope\'s own, as in Watch(…, network="resnet18")'
                ) from None
            self._targets = {line["target"] for line in lines if line["op"] == "parameter"}
        return self._targets

    def _same_probes(self):
        try:
            with open(os.path.join(self.folder, "probes.safetensors"), "rb") as file:
                return file.read() == self._probes
        except FileNotFoundError:
            return True

    def _write_probes(self):
        files.write_whole(os.path.join(self.folder, "probes.safetensors"), lambda file: file.write(self._probes))
        self._probes = None

    def _read_log(self):
        """The lines of an earlier writer, as (step, text); what a power cut left of the last one is dropped."""
        try:
            with open(self._log, encoding="utf-8", errors="replace") as file:
                texts = file.readlines()
        except FileNotFoundError:
            return []
        lines = []
        for text in texts:
            try:
                lines.append((int(json.loads(text)["step"]), text))
            except (ValueError, KeyError, TypeError):
                continue
        kept = [text for _, text in lines]
        if kept != texts or any(not text.endswith("\n") for text in kept):
            lines = [(step, text.rstrip("\n") + "\n") for step, text in lines]
            files.write_text(self._log, "".join(text for _, text in lines))
        return lines

    def _take_back(self, step):
        """Removes this step and all after it: first from the log, so that no line ever names a file that is not there."""
        if self._begun and (not self._lines or self._lines[-1][0] < step):
            return
        kept = [(earlier, text) for earlier, text in self._lines if earlier < step]
        # At the first save of a writer also the files of an earlier one that no line names: it was stopped between the two.
        self._begun = True
        if len(kept) < len(self._lines):
            files.write_text(self._log, "".join(text for _, text in kept))
            self._lines = kept
        for name in os.listdir(self._steps):
            digits = name.removesuffix(".safetensors")
            if digits != name and digits.isdecimal() and int(digits) >= step:
                os.remove(os.path.join(self._steps, name))

    def _append(self, line):
        text = json.dumps(line, allow_nan=False) + "\n"
        handle = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            os.write(handle, text.encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        self._lines.append((line["step"], text))


# What wrappers put before all names.
PREFIXES = ("module.", "_orig_mod.")


def whole(name, value):
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise KernelscopeError(f"{name} is to be a whole number from 0, and is {value!r}")
    return value


def number(name, value):
    """A number as JSON holds it: null where it is not finite."""
    try:
        value = value.item() if hasattr(value, "item") else value
        value = value if isinstance(value, int) else float(value)
    except (TypeError, ValueError, RuntimeError):
        raise KernelscopeError(f"{name} is to be a number, and is {value!r}") from None
    return value if math.isfinite(value) else None
