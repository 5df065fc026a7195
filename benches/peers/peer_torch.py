"""The empirical kernel in PyTorch and in NumPy, one method per process: `python peer_torch.py METHOD --weights W --inputs X`.

func_jac     torch.func as its tutorial has it: vmap(jacrev), then an einsum per parameter
func_jac_mm  the same Jacobians, contracted as one matrix product per parameter
layerwise    the layer-wise formula by hand in PyTorch (MKL), without using that the result is symmetric
layerwise_np the same in NumPy (OpenBLAS); MLP only
layerwise_opt as layerwise, and the last hidden layer's gradient Gram from its rank; MLP and trace only
"""

from timing import kernel_arguments, measure, report

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch.func import functional_call, jacrev, vmap

METHODS = ["func_jac", "func_jac_mm", "layerwise", "layerwise_np", "layerwise_opt"]


class Mlp(torch.nn.Module):
    def __init__(self, weights):
        super().__init__()
        for name in ("fc1", "fc2", "fc3"):
            fan_out, fan_in = weights[f"{name}.weight"].shape
            setattr(self, name, torch.nn.Linear(fan_in, fan_out))

    def forward(self, x):
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class Cnn(torch.nn.Module):
    def __init__(self, _):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = torch.nn.Conv2d(16, 32, 3, padding=1)
        self.fc = torch.nn.Linear(1568, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc(x.flatten(1))


def func_jac(net, x, full, as_product):
    weights = {name: tensor.detach() for name, tensor in net.named_parameters()}
    one = lambda weights, x: functional_call(net, weights, (x[None],)).squeeze(0)
    jacobians = [j.flatten(2) for j in vmap(jacrev(one), (None, 0))(weights, x).values()]
    n, classes, _ = jacobians[0].shape
    if as_product and full:
        return sum(j.flatten(0, 1) @ j.flatten(0, 1).T for j in jacobians)
    if as_product:
        return sum(j.flatten(1) @ j.flatten(1).T for j in jacobians) / classes
    if full:
        kernel = sum(torch.einsum("naf,mbf->namb", j, j) for j in jacobians)
        return kernel.reshape(n * classes, n * classes)
    return sum(torch.einsum("naf,maf->nm", j, j) for j in jacobians) / classes


def gram(activations, gradients, full):
    """Σ over a layer's weights and biases: (A Aᵀ + 1) ∘ B Bᵀ, B [n, C, width]; summed over C unless full."""
    products = activations @ activations.T
    products += 1
    if full:
        n, classes, _ = gradients.shape
        flat = gradients.flatten(0, 1)
        kernel = (flat @ flat.T).view(n, classes, n, classes)
        kernel *= products[:, None, :, None]
        return kernel
    flat = gradients.flatten(1)
    kernel = flat @ flat.T
    kernel *= products
    return kernel


def finish(kernel, last, full, classes):
    """Adds the last layer, whose gradient is the identity: `last` is A Aᵀ + 1."""
    if full:
        kernel.diagonal(dim1=1, dim2=3).add_(last[:, :, None])
        return kernel.flatten(2).flatten(0, 1)
    kernel /= classes
    kernel += last
    return kernel


@torch.no_grad()
def layerwise_mlp(net, x, full, by_rank):
    n, classes = len(x), net.fc3.out_features
    h1 = F.relu(net.fc1(x))
    h2 = F.relu(net.fc2(h1))
    on1, on2 = (h1 > 0).to(x.dtype), (h2 > 0).to(x.dtype)
    last = h2 @ h2.T
    last += 1
    b2 = net.fc3.weight[None] * on2[:, None, :]
    b1 = (b2.view(n * classes, -1) @ net.fc2.weight).view(n, classes, -1)
    b1 *= on1[:, None, :]
    if by_rank:
        # Σ_c B_c B_cᵀ = D diag(Σ_c w_c²) Dᵀ, because the gradient of logit c is w_c ∘ D.
        kernel = (on2 * (net.fc3.weight**2).sum(0)) @ on2.T
        products = h1 @ h1.T
        products += 1
        kernel *= products
    else:
        kernel = gram(h1, b2, full)
    kernel += gram(x, b1, full)
    return finish(kernel, last, full, classes)


@torch.no_grad()
def layerwise_cnn(net, x, full):
    n, classes = len(x), net.fc.out_features
    h1 = F.relu(net.conv1(x))
    p1, at1 = F.max_pool2d(h1, 2, return_indices=True)
    h2 = F.relu(net.conv2(p1))
    p2, at2 = F.max_pool2d(h2, 2, return_indices=True)
    features = p2.flatten(1)
    last = features @ features.T
    last += 1

    def unpool(gradient, at, places):
        channels, pooled = at.shape[1], at.shape[2] * at.shape[3]
        index = at.view(n, 1, channels, pooled).expand(n, classes, channels, pooled)
        return torch.zeros(n, classes, channels, places).scatter_(3, index, gradient)

    def per_sample(gradient, image):
        patches = F.unfold(image, 3, padding=1).transpose(1, 2)
        channels = gradient.shape[2]
        weights = torch.bmm(gradient.flatten(1, 2), patches).view(n, classes, channels * patches.shape[2])
        return torch.cat([weights, gradient.sum(3)], 2)

    gradient = net.fc.weight.view(1, classes, 32, 49) * (p2 > 0).to(x.dtype).view(n, 1, 32, 49)
    b2 = unpool(gradient, at2, 196)
    gradient = F.conv_transpose2d(b2.view(n * classes, 32, 14, 14), net.conv2.weight, padding=1)
    gradient = gradient.view(n, classes, 16, 196) * (p1 > 0).to(x.dtype).view(n, 1, 16, 196)
    b1 = unpool(gradient, at1, 784)
    jacobian = torch.cat([per_sample(b1, x), per_sample(b2, p1)], 2)
    flat = jacobian.flatten(0, 1) if full else jacobian.flatten(1)
    kernel = flat @ flat.T
    return finish(kernel.view(n, classes, n, classes) if full else kernel, last, full, classes)


def layerwise_numpy(weights, x, full):
    (w1, b1), (w2, b2), (w3, b3) = weights
    n, classes = len(x), len(w3)
    relu = lambda z: np.maximum(z, 0, out=z)
    h1 = relu(x @ w1.T + b1)
    h2 = relu(h1 @ w2.T + b2)
    g2 = w3[None] * (h2 > 0).astype(x.dtype)[:, None]
    g1 = (g2.reshape(n * classes, -1) @ w2).reshape(n, classes, -1)
    g1 *= (h1 > 0).astype(x.dtype)[:, None]
    a0, a1, last = x @ x.T, h1 @ h1.T, h2 @ h2.T
    for products in (a0, a1, last):
        products += 1
    if full:
        kernel = np.zeros((n, classes, n, classes), x.dtype)
        for products, gradient in ((a1, g2), (a0, g1)):
            flat = gradient.reshape(n * classes, -1)
            part = (flat @ flat.T).reshape(n, classes, n, classes)
            part *= products[:, None, :, None]
            kernel += part
        each = np.arange(classes)
        kernel[:, each, :, each] += last[None]
        return kernel.reshape(n * classes, n * classes)
    kernel = np.zeros((n, n), x.dtype)
    for products, gradient in ((a1, g2), (a0, g1)):
        flat = gradient.reshape(n, -1)
        part = flat @ flat.T
        part *= products
        kernel += part
    kernel /= classes
    kernel += last
    return kernel


def main():
    given = kernel_arguments(METHODS)
    torch.set_num_threads(1)
    weights, x = load_file(given.weights), load_file(given.inputs)["x"]
    mlp = "fc3.weight" in weights
    net = (Mlp if mlp else Cnn)(weights)
    net.load_state_dict(weights)
    # Products stay in 32 bits on a card, which is PyTorch's default.
    net, x = net.to(given.device), (x.flatten(1) if mlp else x[:, None]).to(given.device)
    full = given.reduction == "full"
    if given.method.startswith("func_jac"):
        work = lambda: func_jac(net, x, full, given.method == "func_jac_mm")
    elif given.method == "layerwise_np":
        if not mlp:
            raise SystemExit("layerwise_np is written for the MLP only")
        layers = [(weights[f"fc{i}.weight"].numpy(), weights[f"fc{i}.bias"].numpy()) for i in (1, 2, 3)]
        images = x.numpy()
        work = lambda: layerwise_numpy(layers, images, full)
    elif mlp:
        by_rank = given.method == "layerwise_opt"
        if by_rank and full:
            raise SystemExit("layerwise_opt is written for the trace only")
        work = lambda: layerwise_mlp(net, x, full, by_rank)
    elif given.method == "layerwise":
        work = lambda: layerwise_cnn(net, x, full)
    else:
        raise SystemExit(f"{given.method} is written for the MLP only")
    # A card works on after the call has returned.
    done = (lambda: work()) if given.device == "cpu" else (lambda: (work(), torch.cuda.synchronize())[0])
    fields, kernel = measure(done, given.repeat, given.budget)
    if given.out:
        np.save(given.out, np.asarray(kernel if isinstance(kernel, np.ndarray) else kernel.cpu()))
    report(fields)


if __name__ == "__main__":
    main()
