"""ResNet-18 for 32 × 32 images (11.2 million parameters, BatchNorm) in PyTorch, one method per process:
`python peer_networks.py METHOD --weights W --inputs X`, both made by `make.py --model resnet18`.

func        torch.func: vmap(jacrev) of so many logits at a time (`--logits`), each tensor's Jacobian contracted by products
func_nvp    torch.func: vjp of one output, jvp of all images, a few outputs of all (`--outputs`) and the time times the rest
curvlinops  J (Jᵀ e) by curvlinops' operators, a few outputs of all (`--outputs`) and the time times the rest
layerwise   by hand: one forward pass, for each logit one backward pass to the layers' outputs, and layer by layer whichever
            takes fewer operations: per-sample gradients and their Gram, or products of places
layerwise_g the same with per-sample gradients in every layer
step        a training step: batch 32, cross-entropy, SGD, batch statistics

The kernel is the trace kernel of the evaluated network: running statistics, which are no parameters.

`--torchvision` takes torchvision's own ResNet-18 in its place, with a seed, without `--weights`: `--export FOLDER` writes its graph
for `kernelscope gram --graph FOLDER`, with PYTHONPATH=assets/python.
"""

import argparse
import resource

from timing import measure, report, timed

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn
from torch.func import functional_call, jacrev, jvp, vjp, vmap

METHODS = ["func", "func_nvp", "curvlinops", "layerwise", "layerwise_g", "step"]
MOST = 1 << 27  # numbers of per-sample gradients at a time: half a GiB


class Block(nn.Module):
    """Two convolutions and the way around them."""

    def __init__(self, before, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        if stride != 1 or before != width:
            self.downsample = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        else:
            self.downsample = nn.Identity()

    def forward(self, h):
        inner = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(h)))))
        return F.relu(inner + self.downsample(h))


class ResNet18(nn.Module):
    """Torchvision's, with the stem for small images: 3 × 3, no pooling."""

    def __init__(self, width=64, classes=10):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        before = width
        for stage in range(4):
            after, stride = width << stage, 1 if stage == 0 else 2
            setattr(self, f"layer{stage + 1}", nn.Sequential(Block(before, after, stride), Block(after, after, 1)))
            before = after
        self.fc = nn.Linear(before, classes)

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1(x)))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            h = stage(h)
        return self.fc(h.mean((2, 3)))


def gram(rows):
    """Inner products of rows of up to ten million numbers: one sum in single precision would be 1e-3 off."""
    return sum(piece @ piece.T for piece in rows.split(1 << 16, 1))


def by_jacobians(net, x, logits):
    """vmap(jacrev) over the images for a few logits at a time: the whole Jacobian is 14 GB."""
    weights = {name: tensor.detach() for name, tensor in net.named_parameters()}
    classes, kernel = net.fc.out_features, 0
    for first in range(0, classes, logits):
        some = lambda weights, x: functional_call(net, weights, (x[None],))[0, first : first + logits]
        jacobians = vmap(jacrev(some), (None, 0))(weights, x)
        for name in list(jacobians):
            kernel = kernel + gram(jacobians.pop(name).flatten(1))
    return kernel / classes


def by_products(net, x, outputs):
    """Columns of the full kernel for the first so many outputs."""
    weights = {name: tensor.detach() for name, tensor in net.named_parameters()}
    columns = []
    for at in range(outputs):
        image, logit = divmod(at, net.fc.out_features)
        one = lambda weights: functional_call(net, weights, (x[image : image + 1],))[0, logit]
        gradient = vjp(one, weights)[1](torch.ones(()))[0]
        columns.append(jvp(lambda weights: functional_call(net, weights, (x,)), (weights,), (gradient,))[1].flatten())
    return torch.stack(columns, 1)


def by_operators(net, x, outputs):
    """Columns of the full kernel for the first so many outputs, by matrix-free Jacobians."""
    from curvlinops import JacobianLinearOperator, TransposedJacobianLinearOperator

    parameters, data = list(net.parameters()), [(x, torch.zeros(len(x), dtype=torch.long))]
    jacobian, transposed = (
        operator(net, parameters, data, check_deterministic=False)
        for operator in (JacobianLinearOperator, TransposedJacobianLinearOperator)
    )
    chosen = torch.eye(len(x) * net.fc.out_features)[:, :outputs]
    return jacobian @ (transposed @ chosen)


def patches(conv, image):
    """What each place of a convolution reads: [n, fan-in, places]."""
    (side, _), (stride, _) = conv.kernel_size, conv.stride
    if side == 1:
        return image[:, :, ::stride, ::stride].flatten(2)
    return F.unfold(image, side, padding=conv.padding, stride=stride)


def by_places(read, gradients):
    """Σ over pairs of places of the products of what is read times those of the gradients, summed over logits."""
    n, fan_in, places = read.shape
    rows = read.transpose(1, 2).reshape(n * places, fan_in)
    products = rows @ rows.T
    rows = gradients.permute(0, 3, 1, 2).reshape(n * places, -1)
    products *= rows @ rows.T
    return products.view(n, places, n, places).sum((1, 3))


def by_samples(read, gradients):
    """Per-sample gradients of the weights, a few logits at a time, and their Gram."""
    n, fan_in, _ = read.shape
    _, classes, fan_out, _ = gradients.shape
    turned, kernel = read.transpose(1, 2), 0
    each = max(1, MOST // (n * fan_in * fan_out))
    for first in range(0, classes, each):
        some = gradients[:, first : first + each].flatten(1, 2)
        kernel = kernel + gram(torch.bmm(some, turned).flatten(1))
    return kernel


def by_layers(net, x, choose):
    layers = [module for module in net.modules() if isinstance(module, (nn.Conv2d, nn.BatchNorm2d))]
    kept = {}

    def keep(layer, inputs, output):
        # The first output is where the graph begins: no parameter asks for a gradient.
        output = output if output.requires_grad else output.requires_grad_()
        kept[layer] = inputs[0].detach(), output
        return output

    hooks = [layer.register_forward_hook(keep) for layer in layers]
    features = []
    hooks.append(net.fc.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0].detach())))
    logits = net(x)
    for hook in hooks:
        hook.remove()
    n, classes = logits.shape
    outputs = [kept[layer][1] for layer in layers]
    gradients = [torch.empty(n, classes, *output.shape[1:]) for output in outputs]
    for logit in range(classes):
        for to, gradient in zip(gradients, torch.autograd.grad(logits[:, logit].sum(), outputs, retain_graph=True)):
            to[:, logit] = gradient
    del logits, outputs
    kernel = torch.zeros(n, n)
    with torch.no_grad():
        while layers:
            layer, gradient = layers.pop(), gradients.pop().flatten(3)
            read = kept.pop(layer)[0]
            if isinstance(layer, nn.Conv2d):
                read = patches(layer, read)
                fan_in, places, fan_out = read.shape[1], read.shape[2], gradient.shape[2]
                # A product of few rows runs at half the speed, so it counts twice.
                samples = n * classes * fan_in * fan_out * (places + 2 * n)
                cheap = (n * places) ** 2 * (fan_in + classes * fan_out) < samples
                kernel += (by_places if choose and cheap else by_samples)(read, gradient)
                continue
            whitened = (read.flatten(2) - layer.running_mean[:, None]) / (layer.running_var[:, None] + layer.eps).sqrt()
            for each in (torch.einsum("nkcp,ncp->nkc", gradient, whitened), gradient.sum(3)):
                kernel += gram(each.flatten(1))
        return kernel / classes + features[0] @ features[0].T + 1


def training_step(net, x):
    labels = torch.arange(len(x)) % net.fc.out_features
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01)
    loss_of = nn.CrossEntropyLoss()
    net.train()

    def step():
        optimiser.zero_grad()
        loss = loss_of(net(x), labels)
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("method", choices=METHODS)
    arguments.add_argument("--weights")
    arguments.add_argument("--torchvision", action="store_true", help="torchvision's ResNet-18 instead of that of --weights")
    arguments.add_argument("--export", help="write the graph of --torchvision into this folder")
    arguments.add_argument("--inputs", required=True)
    arguments.add_argument("--logits", type=int, default=1, help="how many logits `func` takes at a time")
    arguments.add_argument("--outputs", type=int, default=2, help="of how many outputs `func_nvp` is timed")
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--out", help="the kernel, as .npy [n, n]")
    given = timed(arguments).parse_args()
    torch.set_num_threads(given.threads)
    x = load_file(given.inputs)["x"]
    if given.torchvision:
        import torchvision

        torch.manual_seed(0)
        net = torchvision.models.resnet18(num_classes=10).eval()
        if given.export:
            import kernelscope

            kernelscope.export(net, x, given.export)
    else:
        net = ResNet18().eval()
        missing = net.load_state_dict(load_file(given.weights), strict=False)
        assert not missing.unexpected_keys and all(name.endswith("num_batches_tracked") for name in missing.missing_keys)
    net.requires_grad_(given.method in ("step", "curvlinops"))
    work = {
        "func": lambda: by_jacobians(net, x, given.logits),
        "func_nvp": lambda: by_products(net, x, given.outputs),
        "curvlinops": lambda: by_operators(net, x, given.outputs),
        "layerwise": lambda: by_layers(net, x, True),
        "layerwise_g": lambda: by_layers(net, x, False),
        "step": training_step(net, x) if given.method == "step" else None,
    }[given.method]
    fields, outcome = measure(work, given.repeat, given.budget)
    fields["threads"], fields["method"] = given.threads, given.method
    fields["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    if given.method in ("func_nvp", "curvlinops"):
        rest = len(x) * net.fc.out_features / given.outputs
        fields.update({name: rest * fields[name] for name in ("cpu_med", "cpu_min", "wall_med", "wall_min")}, extrapolated=True)
    if given.out and given.method.startswith(("func", "layerwise")):
        np.save(given.out, outcome.numpy())
    report(fields)


if __name__ == "__main__":
    main()
