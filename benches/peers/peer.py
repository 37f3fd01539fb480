"""What the Python peers share: their command line, MNIST, the first weights, the batches' indices, and the evaluation of what they trained.

Each of numpy_peer.py, torch_peer.py, jax_peer.py and tinygrad_peer.py is a program of its own:

    python3 numpy_peer.py train  --data DATA_DIR [--network 784-50-10] [--batch 100] [--activation sigmoid] [--steps 1000] [--rate 0.1]
    python3 numpy_peer.py start  (the same, one step: when it ended, in Unix time)
    python3 numpy_peer.py matmul [--size 1024]

and prints one JSON object. Steps are timed after a warm-up, from the first weights again; loss and accuracy of the test split after them
are worked out here, in NumPy, from the weights that a peer hands back.
"""

import argparse
import gzip
import json
import os
import pathlib
import statistics
import time

import numpy as np

THREADS = len(os.sched_getaffinity(0))
MATMUL_SECONDS = 2.0


class Problem:
    """Images [60000, 784] in float32 of 0 to 1, labels, layer sizes, first weights [inputs, outputs] and biases, the indices [steps, batch]."""

    def __init__(self, options):
        self.options = options
        self.sizes = [int(size) for size in options.network.split("-")]
        self.images, self.labels = split(options.data, "train")
        self.activation, self.rate, self.batch = options.activation, options.rate, options.batch
        generator = np.random.default_rng(options.seed)
        self.parameters = [
            ((deviation(options, a, b) * generator.standard_normal((a, b))).astype(np.float32), np.zeros(b, np.float32))
            for a, b in zip(self.sizes, self.sizes[1:])
        ]
        self.indices = generator.integers(0, len(self.labels), (options.steps, options.batch), dtype=np.int32)


def deviation(options, inputs, outputs):
    """gpu-train's `--init`: normal:0.01 for the textbook's network, xavier for deeper ones."""
    return 0.01 if options.network.count("-") == 2 else (2 / (inputs + outputs)) ** 0.5


def idx(path):
    data = gzip.open(path).read()
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(data[3])]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def split(folder, name):
    name = {"train": "train", "test": "t10k"}[name]
    images = idx(pathlib.Path(folder) / "mnist" / f"{name}-images-idx3-ubyte.gz")
    labels = idx(pathlib.Path(folder) / "mnist" / f"{name}-labels-idx1-ubyte.gz")
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255), labels.astype(np.int32)


def activate(name, x):
    return np.maximum(x, 0) if name == "relu" else 1 / (1 + np.exp(-x))


def evaluate(parameters, activation, images, labels):
    """Mean cross entropy and share of right answers."""
    x = images
    for weight, bias in parameters[:-1]:
        x = activate(activation, x @ weight + bias)
    weight, bias = parameters[-1]
    x = x @ weight + bias
    shifted = x - x.max(1, keepdims=True)
    loss = np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels]
    return float(loss.mean()), float((x.argmax(1) == labels).mean())


def median_seconds(call):
    """Of single calls, repeated for MATMUL_SECONDS after a warm-up; `call` returns when its result is there."""
    for _ in range(3):
        call()
    times, end = [], time.perf_counter() + MATMUL_SECONDS
    while time.perf_counter() < end or len(times) < 5:
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def product(options):
    """Two float32 matrices [size, size]."""
    generator = np.random.default_rng(options.seed)
    return [generator.standard_normal((options.size, options.size), dtype=np.float32) for _ in range(2)]


def main(version, trainer, matmul=None, warm_up=20, options=()):
    """`trainer(problem)` gives `run(indices) -> parameters`, which begins at the first weights on every call and returns arrays when all is
    done. `warm_up`: steps before the timed ones, or None for as many. `matmul(options, a, b)` gives a call that multiplies."""
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=["train", "start", "matmul"])
    parser.add_argument("--data")
    parser.add_argument("--network", default="784-50-10")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--activation", default="sigmoid", choices=["sigmoid", "relu"])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--size", type=int, default=1024)
    for flag, keywords in options:
        parser.add_argument(flag, **keywords)
    options = parser.parse_args()
    if options.task == "matmul":
        a, b = product(options)
        call = matmul(options, a, b)
        error = float(np.abs(np.asarray(call()) - a @ b).max())
        seconds = median_seconds(call)
        print(json.dumps({"gflops": 2 * options.size**3 / seconds / 1e9, "error": error, "version": version}))
        return
    if options.task == "start":
        options.steps = 1
    problem = Problem(options)
    run = trainer(problem)
    if options.task == "start":
        run(problem.indices)
        print(json.dumps({"first_step_at": time.time(), "version": version}))
        return
    run(problem.indices[:warm_up])
    begun, processor = time.perf_counter(), time.process_time()
    parameters = run(problem.indices)
    seconds, processor = time.perf_counter() - begun, time.process_time() - processor
    loss, accuracy = evaluate(parameters, problem.activation, *split(options.data, "test"))
    print(json.dumps({
        "steps_per_second": options.steps / seconds, "steps_per_processor_second": options.steps / processor,
        "test_loss": loss, "test_accuracy": accuracy, "version": version,
    }))
