"""Two tasks in PyTorch: `python two_tasks.py --out watched`, and `kernelscope watch watched --out record` beside it."""

import argparse

import kernelscope
import torch

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", default="watched", help="the folder that Kernelscope watches")
parser.add_argument("--steps", type=int, default=2000, help="updates in each of the two tasks")
parser.add_argument("--resnet", action="store_true", help="torchvision's ResNet-18 on 32 × 32 images, instead of a small MLP")
options = parser.parse_args()
torch.manual_seed(0)
shape = (3, 32, 32) if options.resnet else (1, 12, 12)
prototypes = torch.randn(10, *shape)  # an image for each class; samples are it with noise


def images_of(labels):
    return prototypes[labels] + 2 * torch.randn(len(labels), *shape)


if options.resnet:
    from torchvision.models import resnet18
    model = resnet18(num_classes=10)
else:
    nn = torch.nn
    model = nn.Sequential(nn.Flatten(), nn.Linear(144, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
optimiser = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
labels = torch.arange(10).repeat_interleave(4)  # four probes of each class; five classes are a task
probes = images_of(labels)
kernelscope.export(model, probes, options.out)
every = max(2, options.steps // 20)
watch = kernelscope.Watch(options.out, probes, labels, tasks=labels // 5, every=every, lag=max(1, every // 5))
for step in range(2 * options.steps):
    task = step // options.steps
    chosen = torch.randint(5 * task, 5 * task + 5, (64,))
    loss = torch.nn.functional.cross_entropy(model(images_of(chosen)), chosen)
    if watch.due(step, task):
        watch.save(step, model.state_dict(), loss=loss, task=task)
    optimiser.zero_grad(), loss.backward(), optimiser.step()
