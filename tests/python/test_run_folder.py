"""The reader of run folders, on a folder of the shape that docs/guide/run-folder.md tells and, where KERNELSCOPE_RUN names
one, on a folder that the program itself wrote.
"""

import os
import pathlib
import sys
import unittest

import numpy as np

from common import Folder

import kernelscope
from kernelscope import files, run_folder

METRICS = """step,epoch,task,block,lag_steps,velocity
0,0.0,1,all,,
0,0.0,1,1,,
5,0.5,1,all,5,0.25
5,0.5,1,1,5,1e-3
"""
EVENTS = """step,epoch,event,detail
0,0.0,task,1
5,0.5,message,"half way, and on"
"""


def by_hand(table):
    """A column as a list of numbers or texts, whether pandas or numpy holds it."""
    return [None if value != value else value for value in np.asarray(table).tolist()]


class OfATest(Folder):
    def setUp(self):
        super().setUp()
        os.makedirs(self.folder)
        self.gram = np.arange(32.0).reshape(2, 4, 4)
        self.write("run.toml", 'version = 1\n[network]\nprogram = "mlp"\nwidth = 16\n')
        self.write("info.toml", 'parameters = 3\n[[tasks]]\nname = "coat, dress"\nclasses = [3, 4]\n')
        self.write("metrics.csv", METRICS)
        self.write("events.csv", EVENTS)
        self.write("predictions.csv", "step,epoch,gap\n")
        np.savez(os.path.join(self.folder, "kernels.npz"), gram=self.gram, step=np.array([0, 5]))
        files.write_safetensors(os.path.join(self.folder, "model.safetensors"), {"fc1.weight": np.ones((2, 3), "f4")}, {"step": "5"})

    def write(self, name, text):
        pathlib.Path(self.folder, name).write_text(text, encoding="utf-8")

    def test_what_was_written_is_read(self):
        run = kernelscope.open(pathlib.Path(self.folder))
        self.assertEqual(run.tables, ["events", "metrics", "predictions"])
        self.assertLessEqual({"metrics", "kernels", "spec"}, set(dir(run)))
        metrics = run.metrics
        self.assertEqual(list(metrics), ["step", "epoch", "task", "block", "lag_steps", "velocity"])
        self.assertEqual(by_hand(metrics["step"]), [0, 0, 5, 5])
        self.assertEqual(by_hand(metrics["block"]), ["all", "1", "all", "1"])
        self.assertEqual(by_hand(metrics["lag_steps"]), [None, None, 5, 5])
        self.assertEqual(by_hand(metrics["velocity"]), [None, None, 0.25, 0.001])
        self.assertEqual(by_hand(run.events["detail"]), ["1", "half way, and on"])
        self.assertEqual(len(run.predictions["gap"]), 0)
        np.testing.assert_array_equal(run.kernels["gram"], self.gram)
        self.assertEqual(sorted(run.kernels), ["gram", "step"])
        np.testing.assert_array_equal(run.weights["fc1.weight"], np.ones((2, 3)))

    def test_settings_are_dictionaries(self):
        try:
            import tomllib  # noqa: F401
        except ModuleNotFoundError:
            self.skipTest("settings need Python 3.11")
        run = kernelscope.open(self.folder)
        self.assertEqual(run.spec["network"], {"program": "mlp", "width": 16})
        self.assertEqual(run.info["tasks"][0]["classes"], [3, 4])

    def test_columns_without_pandas_have_the_types_of_their_cells(self):
        self.assertEqual(run_folder.column(["1", "2"]).dtype.kind, "i")
        self.assertEqual(run_folder.column(["1", "", "2.5"]).dtype.kind, "f")
        self.assertEqual(run_folder.column(["1", "all", ""]).tolist(), ["1", "all", ""])
        self.assertEqual(run_folder.column([]).tolist(), [])

    def test_what_is_not_there_is_said(self):
        run = kernelscope.open(self.folder)
        with self.assertRaisesRegex(AttributeError, "no table accuracy; it has events, metrics"):
            run.accuracy
        os.remove(os.path.join(self.folder, "kernels.npz"))
        os.remove(os.path.join(self.folder, "model.safetensors"))
        self.refused("no kernels.npz, which is written when the run ends", getattr, run, "kernels")
        self.refused("no model.safetensors", getattr, run, "weights")
        os.remove(os.path.join(self.folder, "run.toml"))
        self.refused("has no run.toml; give a folder", kernelscope.open, self.folder)
        self.write("study.csv", "seed\n")
        self.refused("it is a study", kernelscope.open, self.folder)


class OfTheProgram(unittest.TestCase):
    def test_a_run_of_the_program_is_read(self):
        folder = os.environ.get("KERNELSCOPE_RUN")
        if not folder:
            self.skipTest("KERNELSCOPE_RUN names no run folder")
        run = kernelscope.open(folder)
        for name in run.tables:
            table = getattr(run, name)
            self.assertLessEqual({"step", "epoch"}, set(table), name)
        self.assertLessEqual({"metrics", "accuracy", "layers", "tensors", "events"}, set(run.tables))
        kernels, metrics = run.kernels, run.metrics
        taken = np.asarray(metrics["block"]) == "all"
        np.testing.assert_array_equal(np.asarray(metrics["step"])[taken], kernels["step"])
        # The table's numbers are those of the kernels beside it.
        np.testing.assert_allclose(np.asarray(metrics["trace"])[taken], np.trace(kernels["gram"], axis1=1, axis2=2), rtol=1e-9)
        np.testing.assert_allclose(np.asarray(metrics["lambda_max"])[taken], np.linalg.eigvalsh(kernels["gram"])[:, -1], rtol=1e-6)
        parameters = sum(array.size for array in run.weights.values())
        if sys.version_info >= (3, 11):
            self.assertEqual(parameters, run.info["parameters"])
            self.assertEqual(run.spec["version"], 1)


if __name__ == "__main__":
    unittest.main()
