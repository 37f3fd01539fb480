"""Back-propagation steps per second in JAX: the fully connected network of the argument, MNIST, sigmoid, softmax, cross entropy, SGD.

    python3 jax_steps.py DATA_DIR 784-50-10 100 STEPS

Batches are drawn on the device and steps run under one `lax.scan`, which is JAX's fastest form. Prints one JSON object.
"""

import gzip
import json
import pathlib
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np


def idx(path):
    data = gzip.open(path).read()
    dimensions = data[3]
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(dimensions)]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def main():
    folder, sizes, batch, steps = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    sizes = [int(size) for size in sizes.split("-")]
    images = jnp.asarray(idx(folder / "train-images-idx3-ubyte.gz").reshape(-1, sizes[0]), jnp.float32) / 255
    labels = jnp.asarray(idx(folder / "train-labels-idx1-ubyte.gz"), jnp.int32)
    generator = np.random.default_rng(42)
    parameters = [
        (jnp.asarray(0.01 * generator.standard_normal((a, b)), jnp.float32), jnp.zeros(b, jnp.float32))
        for a, b in zip(sizes, sizes[1:])
    ]

    def loss(parameters, x, t):
        for weight, bias in parameters[:-1]:
            x = jax.nn.sigmoid(x @ weight + bias)
        weight, bias = parameters[-1]
        y = jax.nn.softmax(x @ weight + bias)
        return -jnp.mean(jnp.log(y[jnp.arange(t.shape[0]), t] + 1e-7))

    def step(parameters, indices):
        value, gradient = jax.value_and_grad(loss)(parameters, images[indices], labels[indices])
        parameters = jax.tree.map(lambda p, g: p - 0.1 * g, parameters, gradient)
        return parameters, value

    @jax.jit
    def run(parameters, indices):
        return jax.lax.scan(step, parameters, indices)

    indices = jnp.asarray(generator.integers(0, labels.shape[0], (steps, batch)), jnp.int32)
    jax.block_until_ready(run(parameters, indices))
    begun = time.perf_counter()
    _, losses = jax.block_until_ready(run(parameters, indices))
    seconds = time.perf_counter() - begun
    print(json.dumps({"steps_per_second": steps / seconds, "last_loss": float(losses[-1]), "jax": jax.__version__}))


main()
