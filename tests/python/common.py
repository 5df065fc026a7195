"""What the tests of the Python package share. They run as `python -m unittest discover -s tests/python`, without any package
but numpy; those that need torch say that they are left out where it is not installed.
"""

import json
import os
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What is tested is the package of the repository, not one that happens to be installed.
sys.path.insert(0, str(ROOT / "assets/python"))

import kernelscope  # noqa: E402


def log(folder):
    """The lines of the log of a watched folder."""
    return [json.loads(line) for line in (pathlib.Path(folder) / "log.jsonl").read_text().splitlines()]


def steps(folder):
    """The names of the files of steps, in order."""
    return sorted(path.name for path in (pathlib.Path(folder) / "steps").iterdir())


class Folder(unittest.TestCase):
    """A test with a folder of its own, which is not made yet."""

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = os.path.join(place.name, "folder")

    def needs_torch(self):
        try:
            import torch
        except ImportError:
            self.skipTest("torch is not installed")
        return torch

    def refused(self, words, work, *arguments, **options):
        """The work is refused in one sentence that has these words."""
        with self.assertRaises(kernelscope.KernelscopeError) as raised:
            work(*arguments, **options)
        sentence = str(raised.exception)
        self.assertIn(words, sentence)
        self.assertNotIn("\n", sentence)
