"""PyTorch: autograd as it stands (eager) or the whole step under torch.compile (--compile). See peer.py for the command line.

`torch_peer.py accuracy --data DATA_DIR --network 784-128-10 ...` is a run as people write it, from the prompt to the test accuracy.
"""

import argparse
import json
import sys
import time

import torch
import torch.nn.functional as F

import peer

torch.set_num_threads(peer.THREADS)


def trainer(problem):
    images, labels = torch.from_numpy(problem.images), torch.from_numpy(problem.labels).long()
    activate = torch.relu if problem.activation == "relu" else torch.sigmoid
    count = len(problem.parameters)

    def loss(parameters, x, t):
        for layer in range(count):
            x = torch.addmm(parameters[2 * layer + 1], x, parameters[2 * layer])
            if layer < count - 1:
                x = activate(x)
        return F.cross_entropy(x, t)

    def first():
        return [torch.from_numpy(array.copy()).requires_grad_() for pair in problem.parameters for array in pair]

    def eager(parameters, indices):
        x, t = images.index_select(0, indices), labels.index_select(0, indices)
        gradients = torch.autograd.grad(loss(parameters, x, t), parameters)
        with torch.no_grad():
            torch._foreach_add_(parameters, gradients, alpha=-problem.rate)

    def functional(parameters, indices):
        gradients = torch.func.grad(loss)(parameters, images[indices], labels[indices])
        for parameter, gradient in zip(parameters, gradients):
            parameter.sub_(gradient, alpha=problem.rate)

    compiled = torch.compile(functional, dynamic=False, fullgraph=True)

    def run(indices):
        parameters = first()
        rows = torch.from_numpy(indices).long()
        if problem.options.compile:
            with torch.no_grad():
                parameters = [parameter.detach() for parameter in parameters]
                for row in rows:
                    compiled(parameters, row)
        else:
            for row in rows:
                eager(parameters, row)
        arrays = [parameter.detach().numpy() for parameter in parameters]
        return list(zip(arrays[::2], arrays[1::2]))

    return run


def matmul(options, a, b):
    a, b = torch.from_numpy(a), torch.from_numpy(b)
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)


def accuracy():
    """The network, batch, optimiser and epochs of the arguments, on MNIST; both splits evaluated at the end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("task")
    parser.add_argument("--data")
    parser.add_argument("--network", default="784-128-10")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--optimizer", default="adam", choices=["adam", "momentum", "sgd"])
    parser.add_argument("--rate", type=float, default=0.001)
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    images, labels = (torch.from_numpy(array) for array in peer.split(options.data, "train"))
    test_images, test_labels = (torch.from_numpy(array) for array in peer.split(options.data, "test"))
    labels, test_labels = labels.long(), test_labels.long()
    layers = []
    sizes = [int(size) for size in options.network.split("-")]
    for a, b in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
        torch.nn.init.kaiming_normal_(layers[-2].weight)
        torch.nn.init.zeros_(layers[-2].bias)
    model = torch.nn.Sequential(*layers[:-1])
    if options.optimizer == "adam":
        optimizer = torch.optim.Adam(model.parameters(), lr=options.rate, fused=True)
    else:
        momentum = 0.9 if options.optimizer == "momentum" else 0.0
        optimizer = torch.optim.SGD(model.parameters(), lr=options.rate, momentum=momentum, fused=True)
    begun = time.perf_counter()
    for _ in range(options.epochs):
        for indices in torch.randperm(len(labels)).split(options.batch):
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(model(images[indices]), labels[indices]).backward()
            optimizer.step()
    seconds = time.perf_counter() - begun
    with torch.no_grad():
        shares = [
            (model(x).argmax(1) == t).float().mean().item() for x, t in [(images, labels), (test_images, test_labels)]
        ]
    print(json.dumps({
        "train_accuracy": shares[0], "test_accuracy": shares[1], "training_seconds": seconds, "version": f"PyTorch {torch.__version__}",
    }))


if "accuracy" in sys.argv[1:2]:
    accuracy()
else:
    peer.main(
        f"PyTorch {torch.__version__}", trainer, matmul, options=[("--compile", {"action": "store_true"})],
    )
