"""The empirical kernel by neural_tangents, one method per process: `python peer_jax.py METHOD --weights W --inputs X`.

The kernel function is compiled ahead, with weights and inputs as its arguments, so that the time is that of the kernel.
neural_tangents imports parts of TensorFlow that the empirical kernel does not use; they are replaced by empty modules.
"""

import sys
import types
import warnings

from timing import kernel_arguments, measure, report

for name in ("tensorflow", "tf2jax", "neural_tangents.experimental"):
    sys.modules[name] = types.ModuleType(name)
warnings.filterwarnings("ignore")

import jax
import numpy as np
from jax import lax
from safetensors.numpy import load_file

import neural_tangents as nt

METHODS = ["STRUCTURED_DERIVATIVES", "JACOBIAN_CONTRACTION", "NTK_VECTOR_PRODUCTS", "AUTO"]


def mlp(weights, x):
    for place, (weight, bias) in enumerate(weights):
        x = x @ weight + bias
        if place + 1 < len(weights):
            x = jax.nn.relu(x)
    return x


def cnn(weights, x):
    for weight, bias in weights[:-1]:
        x = lax.conv_general_dilated(x, weight, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) + bias
        x = lax.reduce_window(jax.nn.relu(x), -np.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    weight, bias = weights[-1]
    return x.reshape(x.shape[0], -1) @ weight + bias


def network(stored, x):
    """The function, its weights in JAX's layout (which only permutes parameters) and its inputs."""
    if "fc3.weight" in stored:
        weights = [(stored[f"fc{i}.weight"].T, stored[f"fc{i}.bias"]) for i in (1, 2, 3)]
        return mlp, weights, x.reshape(len(x), -1)
    # Channels last is what XLA is fast with on a CPU.
    weights = [(stored[f"conv{i}.weight"].transpose(2, 3, 1, 0), stored[f"conv{i}.bias"]) for i in (1, 2)]
    last = stored["fc.weight"].reshape(-1, 32, 7, 7).transpose(2, 3, 1, 0).reshape(1568, -1)
    return cnn, [*weights, (last, stored["fc.bias"])], x[..., None]


def main():
    given = kernel_arguments(METHODS)
    jax.config.update("jax_platforms", given.device)
    # On a card products in 32 bits would else be of 10 bits each.
    jax.config.update("jax_default_matmul_precision", "highest")
    function, weights, x = network(load_file(given.weights), load_file(given.inputs)["x"])
    weights, x = jax.tree_util.tree_map(jax.numpy.asarray, (weights, x))
    full = given.reduction == "full"
    kernel_of = nt.empirical_ntk_fn(
        function,
        trace_axes=() if full else (-1,),
        vmap_axes=0,
        implementation=nt.NtkImplementation[given.method],
    )
    compiled = jax.jit(lambda weights, x: kernel_of(x, None, weights)).lower(weights, x).compile()
    fields, kernel = measure(lambda: jax.block_until_ready(compiled(weights, x)), given.repeat, given.budget)
    if given.out:
        kernel = np.asarray(kernel)
        if full:
            n, _, classes, _ = kernel.shape
            kernel = kernel.transpose(0, 2, 1, 3).reshape(n * classes, n * classes)
        np.save(given.out, kernel)
    report(fields)


if __name__ == "__main__":
    main()
