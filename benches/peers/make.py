"""Weights and inputs of one configuration, seeded, so that Kernelscope and its peers compute the same kernel:
`python make.py --model mlp --width 512 --n 256 FOLDER` writes FOLDER/weights.safetensors and FOLDER/inputs.safetensors.

Names and layouts are PyTorch's: `fcI.weight` [out, in] with y = x Wᵀ + b, `convI.weight` [out, in, 3, 3]; all float32. Those of
`resnet18`, for images [3, 32, 32], are torchvision's.
Weights are drawn with variance 2/fan_in (1/fan_in in the last layer), so that a wide network still has a kernel of order 1
per parameter; biases are not zero, so that a peer that forgot them would be found out. Needs numpy and safetensors only.
"""

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

PIXELS, CLASSES = 784, 10


def network(model, width, rng):
    """The tensors of a network, by name."""

    def draw(shape, fan_in, gain=2.0):
        return (rng.standard_normal(shape) * np.sqrt(gain / fan_in)).astype(np.float32)

    def bias(size):
        return (0.1 * rng.standard_normal(size)).astype(np.float32)

    if model == "mlp":
        sizes = [PIXELS, width, width, CLASSES]
        layers = {f"fc{i + 1}": draw((sizes[i + 1], sizes[i]), sizes[i], 1.0 if i == 2 else 2.0) for i in range(3)}
    else:
        layers = {
            "conv1": draw((16, 1, 3, 3), 9),
            "conv2": draw((32, 16, 3, 3), 144),
            "fc": draw((CLASSES, 1568), 1568, 1.0),
        }
    tensors = {}
    for name, weight in layers.items():
        tensors[f"{name}.weight"] = weight
        tensors[f"{name}.bias"] = bias(weight.shape[0])
    return tensors


def resnet18(width, rng):
    """The tensors of a ResNet-18 for 32 × 32 images, whose first stage has so many channels."""
    tensors = {}

    def conv(name, norm, fan_out, fan_in, side):
        draw = rng.standard_normal((fan_out, fan_in, side, side)) * np.sqrt(2 / (fan_in * side * side))
        tensors[f"{name}.weight"] = draw
        tensors[f"{norm}.weight"], tensors[f"{norm}.running_var"] = rng.uniform(0.5, 1.5, (2, fan_out))
        tensors[f"{norm}.bias"], tensors[f"{norm}.running_mean"] = 0.1 * rng.standard_normal((2, fan_out))

    conv("conv1", "bn1", width, 3, 3)
    before = width
    for stage in range(4):
        after = width << stage
        for block in range(2):
            name = f"layer{stage + 1}.{block}"
            conv(f"{name}.conv1", f"{name}.bn1", after, before, 3)
            conv(f"{name}.conv2", f"{name}.bn2", after, after, 3)
            if before != after:
                conv(f"{name}.downsample.0", f"{name}.downsample.1", after, before, 1)
            before = after
    tensors["fc.weight"] = rng.standard_normal((CLASSES, before)) / np.sqrt(before)
    tensors["fc.bias"] = 0.1 * rng.standard_normal(CLASSES)
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def make(folder, model, width, n, seed=1):
    """Writes both files into a folder and returns their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    residual = model == "resnet18"
    save_file(resnet18(width, rng) if residual else network(model, width, rng), folder / "weights.safetensors")
    images = rng.standard_normal((n, 3, 32, 32) if residual else (n, 28, 28)).astype(np.float32)
    save_file({"x": images}, folder / "inputs.safetensors")
    return folder / "weights.safetensors", folder / "inputs.safetensors"


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--model", choices=["mlp", "cnn", "resnet18"], default="mlp")
    arguments.add_argument("--width", type=int, default=512)
    arguments.add_argument("--n", type=int, default=256)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("folder")
    given = arguments.parse_args()
    print(*make(given.folder, given.model, given.width, given.n, given.seed))
