"""What stands in a run folder of Kernelscope, as numpy arrays and tables."""

import builtins
import csv
import os

import numpy as np

from . import files
from .errors import KernelscopeError


def open(folder):
    """Opens the folder of a run that `kernelscope run --out` wrote, or that the window saved.

        run = kernelscope.open("runs/wide")
        run.metrics             a table for each .csv: metrics, accuracy, layers, tensors, events, …
        run.kernels["gram"]     the arrays of kernels.npz, read as they are asked for
        run.spec["network"]     the settings, from run.toml
        run.info["tasks"]       names of tasks and classes, from info.toml
        run.weights             the tensors of model.safetensors

    A table is a pandas DataFrame where pandas is installed, and a dictionary of numpy arrays where it is not; both give a
    column by its name. Which columns and arrays there are is told in docs/guide/run-folder.md.
    """
    return Run(folder)


class Run:
    """A run folder; `kernelscope.open` says what it gives."""

    def __init__(self, folder):
        self.folder = os.fspath(folder)
        if not os.path.isfile(os.path.join(self.folder, "run.toml")):
            study = os.path.isfile(os.path.join(self.folder, "study.csv"))
            way = "it is a study, open one of the folders in it" if study else "give a folder that kernelscope run --out wrote"
            raise KernelscopeError(f"{self.folder} has no run.toml; {way}")
        self._kernels = None

    def __repr__(self):
        return f"kernelscope.open({self.folder!r})"

    def __dir__(self):
        return [*super().__dir__(), *self.tables]

    def __getattr__(self, name):
        if name.startswith("_") or name not in self.tables:
            raise AttributeError(f"{self.folder} has no table {name}; it has {', '.join(self.tables)}")
        return table(os.path.join(self.folder, f"{name}.csv"))

    @property
    def tables(self):
        """The names of the tables that are there."""
        return sorted(name.removesuffix(".csv") for name in os.listdir(self.folder) if name.endswith(".csv"))

    @property
    def spec(self):
        """All settings, as run.toml has them."""
        return toml(os.path.join(self.folder, "run.toml"))

    @property
    def info(self):
        """Names of tasks and classes."""
        return toml(os.path.join(self.folder, "info.toml"))

    @property
    def kernels(self):
        """The arrays of kernels.npz by name, each read when it is asked for."""
        if self._kernels is None:
            path = os.path.join(self.folder, "kernels.npz")
            if not os.path.exists(path):
                raise KernelscopeError(f"{self.folder} has no kernels.npz, which is written when the run ends")
            self._kernels = np.load(path)
        return self._kernels

    @property
    def weights(self):
        """The weights at the end, by PyTorch's names."""
        path = os.path.join(self.folder, "model.safetensors")
        if not os.path.exists(path):
            raise KernelscopeError(f"{self.folder} has no model.safetensors, which is written when the run ends")
        return files.read_safetensors(path)


def toml(path):
    """A file of settings as a dictionary."""
    try:
        import tomllib
    except ModuleNotFoundError:
        try:
            import tomli as tomllib
        except ModuleNotFoundError:
            raise KernelscopeError("reading settings needs Python 3.11, or the package tomli") from None
    with builtins.open(path, "rb") as file:
        return tomllib.load(file)


def table(path):
    """A table of a .csv file: of pandas where it is installed, else a dictionary of arrays."""
    try:
        import pandas
    except ImportError:
        pass
    else:
        return pandas.read_csv(path)
    with builtins.open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    names, rows = rows[0], rows[1:]
    return {name: column([row[at] for row in rows]) for at, name in enumerate(names)}


def column(cells):
    """A column as whole numbers, as numbers with NaN for empty cells, or as text."""
    for kind in (int, float):
        try:
            return np.array([kind(cell) if cell or kind is int else np.nan for cell in cells], dtype=np.dtype(kind))
        except ValueError:
            continue
    return np.array(cells, dtype=str)
