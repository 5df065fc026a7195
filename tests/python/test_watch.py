"""The writer of a watched folder: what a reader finds there at any moment, numpy alone."""

import json
import os
import pathlib
import random
import subprocess
import sys
import time
import unittest

import numpy as np

from common import ROOT, Folder, log, steps

import kernelscope
from kernelscope import files

INPUTS = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
LABELS = np.array([0, 1, 0, 1])

# Steps without end, each file full of its step; it takes up behind the last one of the log, or a few steps before.
WRITER = """
import sys, numpy, kernelscope
folder, back = sys.argv[1], int(sys.argv[2])
watch = kernelscope.Watch(folder, numpy.zeros((3, 2), "f4"), [0, 1, 2], every=2, lag=1, network="mlp")
step = max(0, (watch._lines[-1][0] if watch._lines else -1) + 1 - back)
while True:
    watch.save(step, {"w": numpy.full((64, 512), step, "f4"), "b": numpy.full(7, step, "i8")}, loss=1 / (step + 1), task=step // 50)
    step += 1
"""


class Watched(Folder):
    def watch(self, **options):
        return kernelscope.Watch(self.folder, INPUTS, LABELS, **{"network": "mlp", **options})

    def graph(self, *targets):
        os.makedirs(self.folder, exist_ok=True)
        lines = [{"name": f"p{at}", "op": "parameter", "target": target} for at, target in enumerate(targets)]
        files.write_text(os.path.join(self.folder, "graph.json"), json.dumps({"lines": lines}))


class Written(Watched):
    def test_probes_steps_and_lines_are_what_was_given(self):
        watch = self.watch(tasks=[0, 0, 1, 1], every=20, lag=4)
        weights = {"w": np.arange(6, dtype=np.float64).reshape(2, 3).T, "h": np.float16([1.5]), "n": np.int64(3), "none": np.zeros((0, 2))}
        watch.save(0, weights, loss=np.float32(2.5), task=np.int64(1), accuracy=0.5)
        watch.save(4, weights, loss=float("nan"))
        about = json.loads(pathlib.Path(self.folder, "watch.json").read_text())
        self.assertEqual((about["format"], about["every"], about["lag"], about["network"]), (1, 20, 4, "mlp"))
        probes = files.read_safetensors(os.path.join(self.folder, "probes.safetensors"))
        self.assertEqual(sorted(probes), ["inputs", "labels", "tasks"])
        np.testing.assert_array_equal(probes["inputs"], INPUTS)
        np.testing.assert_array_equal(probes["labels"], LABELS)
        first, second = log(self.folder)
        self.assertLessEqual(abs(first.pop("time") - time.time()), 60)
        self.assertEqual(first, {"step": 0, "file": "000000000000.safetensors", "task": 1, "loss": 2.5, "accuracy": 0.5})
        self.assertIsNone(second["loss"])
        self.assertEqual(steps(self.folder), ["000000000000.safetensors", "000000000004.safetensors"])
        found = files.read_safetensors(os.path.join(self.folder, "steps", "000000000004.safetensors"))
        self.assertEqual(list(found), list(weights))
        for name, array in weights.items():
            np.testing.assert_array_equal(found[name], array)
            self.assertEqual((found[name].dtype, found[name].shape), (array.dtype, array.shape))

    def test_due_steps_come_in_pairs(self):
        watch = self.watch(every=20, lag=4)
        self.assertEqual([step for step in range(70) if watch.due(step)], [0, 4, 20, 24, 40, 44, 60, 64])
        watch = self.watch(every=5, lag=5)
        self.assertEqual([step for step in range(16) if watch.due(step)], [0, 5, 10, 15])
        # A switch begins a pair of its own; the first task is no switch.
        watch = self.watch(every=20, lag=4)
        self.assertEqual([step for step in range(30) if watch.due(step, step // 11)], [0, 4, 11, 15, 20, 22, 24, 26])

    def test_a_kernel_of_ones_own_is_saved_as_it_is(self):
        gram = np.eye(4)
        self.watch(network=None).save(7, {"gram": gram})
        found = files.read_safetensors(os.path.join(self.folder, "steps", "000000000007.safetensors"))
        np.testing.assert_array_equal(found["gram"], gram)
        self.refused("4 × 4", self.watch().save, 8, {"gram": np.eye(3)})

    def test_prefixes_of_wrappers_are_taken_off(self):
        def names(saved, *targets, network=None):
            self.graph(*targets)
            self.watch(network=network).save(0, {name: np.zeros(1) for name in saved})
            return list(files.read_safetensors(os.path.join(self.folder, "steps", "000000000000.safetensors")))

        self.assertEqual(names(["module.0.w", "module.0.b"], "0.w", "0.b"), ["0.w", "0.b"])
        self.assertEqual(names(["_orig_mod.module.w"], "w"), ["w"])
        self.assertEqual(names(["module._orig_mod.w", "module._orig_mod.extra"], "w"), ["w", "extra"])
        self.assertEqual(names(["0._orig_mod.w"], "0.w"), ["0.w"])
        # A module may have a part of that name.
        self.assertEqual(names(["module.w"], "module.w"), ["module.w"])
        self.assertEqual(names(["module.fc.w"], network="mlp"), ["fc.w"])
        # Not common to all: no wrapper's.
        self.assertEqual(names(["module.w", "v"], "module.w", "v"), ["module.w", "v"])
        self.assertRaises(kernelscope.KernelscopeError, names, ["module.w", "v"], "w")

    def test_what_cannot_be_watched_is_refused(self):
        self.refused("from 1 to every=50", self.watch, lag=51)
        self.refused("from 1 to every=50", self.watch, lag=0)
        self.refused("4 inputs and 3 tasks", self.watch, tasks=[0, 0, 1])
        self.refused("at least two inputs", kernelscope.Watch, self.folder, INPUTS[:1], LABELS[:1])
        self.refused("labels holds", kernelscope.Watch, self.folder, INPUTS, ["a", "b", "a", "b"])
        self.refused("no graph.json; call kernelscope.export", self.watch(network=None).save, 0, {"w": LABELS})
        watch = self.watch()
        self.refused("step is to be a whole number", watch.save, -1, {})
        self.refused("step is to be a whole number", watch.save, 0.5, {})
        self.refused("beyond what a file name has room for", watch.save, 10**12, {})
        self.refused("task is to be a whole number", watch.save, 0, {}, task="first")
        self.refused("loss is to be a number", watch.save, 0, {}, loss=[1, 2])
        self.refused("a name of Kernelscope's own", watch.save, 0, {}, time=3)
        self.refused("w holds complex128", watch.save, 0, {"w": np.zeros(2, complex)})
        self.assertEqual(steps(self.folder), [], "what is refused leaves nothing behind")
        self.assertFalse(os.path.exists(os.path.join(self.folder, "log.jsonl")))
        self.graph("w", "gone")
        self.refused("gone, which the graph", self.watch(network=None).save, 0, {"w": LABELS})


class Again(Watched):
    def test_an_earlier_step_takes_later_ones_back(self):
        watch = self.watch()
        for step in (0, 10, 20, 30):
            watch.save(step, {"w": np.full(2, step)})
        watch = self.watch()
        watch.save(20, {"w": np.full(2, -1)})
        self.assertEqual([line["step"] for line in log(self.folder)], [0, 10, 20])
        self.assertEqual(steps(self.folder), [f"{step:012}.safetensors" for step in (0, 10, 20)])
        found = files.read_safetensors(os.path.join(self.folder, "steps", "000000000020.safetensors"))
        np.testing.assert_array_equal(found["w"], [-1, -1])
        # Also within one writer, and the same step once more.
        watch.save(10, {"w": np.full(2, -2)})
        watch.save(10, {"w": np.full(2, -3)})
        self.assertEqual([line["step"] for line in log(self.folder)], [0, 10])
        self.assertEqual(len(steps(self.folder)), 2)

    def test_what_a_stopped_writer_left_is_cleared_away(self):
        self.watch().save(10, {"w": LABELS})
        for name in ("000000000012.safetensors.part", "000000000015.safetensors", "000000000003.safetensors", "notes.txt"):
            pathlib.Path(self.folder, "steps", name).write_bytes(b"left")
        with open(os.path.join(self.folder, "log.jsonl"), "a") as file:
            file.write('{"step": 12, "fi')
        watch = self.watch()
        self.assertEqual([line["step"] for line in log(self.folder)], [10])
        watch.save(12, {"w": LABELS})
        # Files that no line names are gone from here on; those before, and those of others, are left alone.
        self.assertEqual(
            steps(self.folder),
            ["000000000003.safetensors", "000000000010.safetensors", "000000000012.safetensors", "notes.txt"],
        )
        self.assertEqual([line["step"] for line in log(self.folder)], [10, 12])

    def test_other_probes_do_not_come_between_steps(self):
        self.watch().save(10, {"w": LABELS})
        probes = pathlib.Path(self.folder, "probes.safetensors")
        before = probes.read_bytes()
        other = kernelscope.Watch(self.folder, INPUTS + 1, LABELS, network="mlp")
        self.assertEqual(probes.read_bytes(), before)
        self.refused("saved with other probes", other.save, 20, {"w": LABELS})
        # From the start there is nothing that was measured on the old ones.
        other.save(0, {"w": LABELS})
        self.assertNotEqual(probes.read_bytes(), before)
        other.save(10, {"w": LABELS})
        self.assertEqual([line["step"] for line in log(self.folder)], [0, 10])

    def test_a_writer_killed_at_any_moment_leaves_whole_files(self):
        chance = random.Random(5)
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "assets/python"), "PYTHONDONTWRITEBYTECODE": "1"}
        saved = 0
        for _ in range(20):
            back = chance.choice([0, 0, 3])
            writer = subprocess.Popen([sys.executable, "-c", WRITER, self.folder, str(back)], env=environment)
            began, before = time.monotonic(), pathlib.Path(self.folder, "log.jsonl")
            size = before.stat().st_size if before.exists() else 0
            # From its first step on, for a random while.
            while not before.exists() or before.stat().st_size == size:
                self.assertLess(time.monotonic() - began, 60, "the writer does not begin")
                self.assertIsNone(writer.poll(), "the writer ended by itself")
                time.sleep(0.001)
            time.sleep(chance.random() * 0.05)
            writer.kill()
            writer.wait()
            saved = max(saved, self.whole())
        self.assertGreater(saved, 0)
        # Whatever was left half done is cleared away by the next save.
        last = log(self.folder)[-1]["step"]
        kernelscope.Watch(self.folder, np.zeros((3, 2), "f4"), [0, 1, 2], network="mlp").save(last + 1, {"w": LABELS})
        self.assertEqual(steps(self.folder), [line["file"] for line in log(self.folder)])

    def whole(self):
        """What a reader relies on; the number of steps."""
        self.assertEqual(json.loads(pathlib.Path(self.folder, "watch.json").read_text())["lag"], 1)
        self.assertEqual(files.read_safetensors(os.path.join(self.folder, "probes.safetensors"))["labels"].tolist(), [0, 1, 2])
        text = pathlib.Path(self.folder, "log.jsonl").read_text()
        lines = [json.loads(line) for line in text.split("\n")[:-1]]
        self.assertEqual([line["step"] for line in lines], list(range(len(lines))), "no step twice, none lost")
        for name in steps(self.folder):
            if not name.endswith(".part"):
                found = files.read_safetensors(os.path.join(self.folder, "steps", name))
                step = int(name.split(".")[0])
                self.assertTrue((found["w"] == step).all() and found["w"].shape == (64, 512))
                self.assertTrue((found["b"] == step).all() and found["b"].shape == (7,))
        self.assertLessEqual({line["file"] for line in lines}, set(steps(self.folder)))
        return len(lines)


class Torch(Watched):
    def setUp(self):
        super().setUp()
        self.torch = self.needs_torch()

    def test_tensors_of_torch_are_written_bit_for_bit(self):
        torch = self.torch
        generator = torch.Generator().manual_seed(1)
        kinds = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
        tensors = {str(kind): torch.randn(3, 4, generator=generator).to(kind).T for kind in kinds}
        tensors["grad"] = torch.randn(2, requires_grad=True)
        tensors["bits"], tensors["whole"], tensors["none"] = torch.tensor([True, False]), torch.tensor(5), torch.zeros(0, 3)
        watch = kernelscope.Watch(self.folder, torch.tensor(INPUTS), torch.tensor(LABELS), network="mlp")
        watch.save(0, tensors, loss=tensors["grad"].sum())
        path = os.path.join(self.folder, "steps", "000000000000.safetensors")
        found = files.read_safetensors(path)
        for name, tensor in tensors.items():
            expected = tensor.detach().float() if tensor.dtype == torch.bfloat16 else tensor.detach()
            np.testing.assert_array_equal(found[name], expected.numpy())
        try:
            from safetensors.torch import load_file
        except ImportError:
            return
        for name, tensor in load_file(path).items():
            self.assertEqual(tensor.dtype, tensors[name].dtype)
            self.assertTrue(torch.equal(tensor, tensors[name].detach()))

    def test_wrapped_modules_are_saved_under_the_names_of_the_graph(self):
        torch = self.torch
        plain = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6, 3), torch.nn.BatchNorm1d(3))
        wrapped = [
            plain,
            torch.nn.DataParallel(plain),
            torch.compile(plain),
            torch.nn.DataParallel(torch.compile(plain)),
            torch.nn.Sequential(plain[0], torch.compile(plain[1]), plain[2]),
        ]
        for module in wrapped:
            kernelscope.export(module, torch.tensor(INPUTS), self.folder)
            self.watch(network=None).save(0, module.state_dict())
            found = files.read_safetensors(os.path.join(self.folder, "steps", "000000000000.safetensors"))
            self.assertEqual(list(found), list(plain.state_dict()))


if __name__ == "__main__":
    unittest.main()
