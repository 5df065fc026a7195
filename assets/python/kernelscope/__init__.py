"""Kernelscope's Python side: the kernel of your own torch module.

`export(module, example, folder)` writes the graph of a module and its weights.
"""

from .errors import KernelscopeError
from .exporting import export
from .version import __version__

__all__ = ["KernelscopeError", "export"]
