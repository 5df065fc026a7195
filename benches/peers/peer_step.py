"""One training step of PyTorch: 784-1024-1024-10, ReLU, cross-entropy, batch 128, plain SGD; the peer of `benches/step.rs`.

As there, batches take turns and the loss is read back at each step. `METHOD` is how the optimiser walks the parameters:
`default`, `foreach` or `fused`.
"""

import argparse
import itertools

from timing import measure, on_card, report, timed

import torch

WIDTH, BATCH, BATCHES, RATE, WARM_UP = 1024, 128, 8, 0.01, 20


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("method", choices=["default", "foreach", "fused"])
    given = on_card(timed(arguments)).parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    linear, relu = torch.nn.Linear, torch.nn.ReLU
    net = torch.nn.Sequential(linear(784, WIDTH), relu(), linear(WIDTH, WIDTH), relu(), linear(WIDTH, 10))
    how = {} if given.method == "default" else {given.method: True}
    net = net.to(given.device)
    optimiser = torch.optim.SGD(net.parameters(), lr=RATE, **how)
    loss_of = torch.nn.CrossEntropyLoss()
    batches = [(3.4 * torch.rand(BATCH, 784) - 1.7, torch.randint(10, (BATCH,))) for _ in range(BATCHES)]
    turns = itertools.cycle(batches)

    def step():
        x, y = (tensor.to(given.device) for tensor in next(turns))
        optimiser.zero_grad()
        loss = loss_of(net(x), y)
        loss.backward()
        optimiser.step()
        return loss.item()

    for _ in range(WARM_UP):
        step()
    fields, loss = measure(step, given.repeat, given.budget)
    report({**fields, "loss": loss})


if __name__ == "__main__":
    main()
