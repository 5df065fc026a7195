"""Kernelscope's Python side: the exact kernel of your own torch module, live while you train it.

Write the module down once, then save its weights now and then:

    import kernelscope

    kernelscope.export(model, inputs, "watched")
    watch = kernelscope.Watch("watched", inputs, labels, every=50, lag=10)
    for step, (x, y) in enumerate(batches):
        if watch.due(step):
            watch.save(step, model.state_dict())
        train(x, y)

`kernelscope watch watched` shows the empirical neural tangent kernel of each step, its velocity, its spectrum and the share of
each layer. Nothing of it happens in your process: what training pays is the time in which `save` writes a file.

    run = kernelscope.open("runs/wide")     a run of Kernelscope's own: tables, kernels, settings

- `export(module, example, folder)` writes the graph of a module and its weights; it needs torch, from 2.5 on.
- `Watch(folder, inputs, labels, …)` writes probes and steps; it needs numpy alone.
- `open(folder)` reads a run folder; it needs numpy, and gives DataFrames where pandas is installed.

What cannot be done is refused with `KernelscopeError`: one sentence, with the way out.
"""

from .errors import KernelscopeError
from .exporting import export
from .run_folder import Run, open
from .version import __version__
from .watching import Watch

# `open` is left to `kernelscope.open`: `from kernelscope import *` is not to hide Python's own.
__all__ = ["KernelscopeError", "Run", "Watch", "export"]
