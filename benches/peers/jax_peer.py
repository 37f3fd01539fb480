"""JAX: batches are gathered on the device and steps run under one `lax.scan`, its fastest form. See peer.py for the command line."""

import jax
import jax.numpy as jnp
import numpy as np

import peer


def trainer(problem):
    images, labels = jnp.asarray(problem.images), jnp.asarray(problem.labels)
    activate = jax.nn.relu if problem.activation == "relu" else jax.nn.sigmoid

    def loss(parameters, x, t):
        for weight, bias in parameters[:-1]:
            x = activate(x @ weight + bias)
        weight, bias = parameters[-1]
        y = jax.nn.log_softmax(x @ weight + bias)
        return -jnp.mean(y[jnp.arange(t.shape[0]), t])

    def step(parameters, indices):
        value, gradient = jax.value_and_grad(loss)(parameters, images[indices], labels[indices])
        parameters = jax.tree.map(lambda p, g: p - problem.rate * g, parameters, gradient)
        return parameters, value

    @jax.jit
    def scan(parameters, indices):
        return jax.lax.scan(step, parameters, indices)

    first = [(jnp.asarray(weight), jnp.asarray(bias)) for weight, bias in problem.parameters]

    def run(indices):
        parameters, _ = jax.block_until_ready(scan(first, jnp.asarray(indices)))
        return jax.tree.map(np.asarray, parameters)

    return run


def matmul(options, a, b):
    a, b = jnp.asarray(a), jnp.asarray(b)
    product = jax.jit(jnp.matmul)
    return lambda: jax.block_until_ready(product(a, b))


peer.main(f"JAX {jax.__version__}", trainer, matmul, warm_up=None)
