"""The example in assets/examples, for two tasks of a few steps. It needs torch."""

import os
import pathlib
import subprocess
import sys

import numpy as np

from common import ROOT, Folder, log, steps

from kernelscope import files


class Example(Folder):
    def run_example(self, *more):
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "assets/python"), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, str(ROOT / "assets/examples/two_tasks.py"), "--steps", "20", "--out", self.folder, *more]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_it_is_short(self):
        lines = (ROOT / "assets/examples/two_tasks.py").read_text(encoding="utf-8").splitlines()
        self.assertLessEqual(len(lines), 40)

    def test_the_six_lines_write_what_is_watched(self):
        lines = (ROOT / "assets/examples/six_lines.py").read_text(encoding="utf-8")
        self.assertEqual(len(lines.splitlines()), 6)
        torch = self.needs_torch()
        torch.manual_seed(0)
        script = {
            "model": torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3)),
            "probes": torch.randn(20, 3, 4),
            "labels": torch.arange(20) % 3,
            "tasks": torch.arange(20) // 10,
            "steps": 61,
            "task": 0,
            "loss": torch.tensor(0.5),
        }
        exec(lines.replace('"watched"', repr(self.folder)), script)
        self.assertEqual([line["step"] for line in log(self.folder)], [0, 10, 50, 60])
        self.assertTrue(os.path.exists(os.path.join(self.folder, "graph.json")))

    def test_it_writes_what_is_watched(self):
        self.needs_torch()
        self.run_example()
        lines = log(self.folder)
        self.assertEqual([line["file"] for line in lines], steps(self.folder))
        # Each second step and the one after it: all.
        self.assertEqual([(line["step"], line["task"]) for line in lines], [(step, step // 20) for step in range(40)])
        losses = [line["loss"] for line in lines]
        self.assertLess(np.mean(losses[15:20]), losses[0], "it learns")
        self.assertGreater(losses[20], losses[19], "and the second task is another")
        probes = files.read_safetensors(os.path.join(self.folder, "probes.safetensors"))
        self.assertEqual(probes["tasks"].tolist(), [0] * 20 + [1] * 20)
        # The last step's weights are those of a network that says so of its own task.
        last = files.read_safetensors(os.path.join(self.folder, "steps", steps(self.folder)[-1]))
        h = probes["inputs"].reshape(40, -1)
        for at in (1, 3, 5):
            h = h @ last[f"{at}.weight"].T + last[f"{at}.bias"]
            h = np.maximum(h, 0) if at < 5 else h
        self.assertGreater(np.mean(h[20:].argmax(1) == probes["labels"][20:]), 0.5)
        # Again from its start: the same.
        before = pathlib.Path(self.folder, "probes.safetensors").read_bytes()
        self.run_example()
        self.assertEqual(pathlib.Path(self.folder, "probes.safetensors").read_bytes(), before)
        self.assertEqual(len(log(self.folder)), 40)
        again = files.read_safetensors(os.path.join(self.folder, "steps", steps(self.folder)[-1]))
        for name, array in last.items():
            np.testing.assert_allclose(again[name], array, rtol=1e-4, atol=1e-6)
