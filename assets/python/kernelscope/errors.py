"""The one error that this package raises for what it refuses."""


class KernelscopeError(Exception):
    """Something that Kernelscope cannot take: one sentence that names the thing and says the way out."""
