"""NumPy: back-propagation written out, into arrays that are made once. See peer.py for the command line."""

import numpy as np

import peer


def trainer(problem):
    sizes, batch, rate = problem.sizes, problem.batch, np.float32(problem.rate)
    relu = problem.activation == "relu"
    units = [np.empty((batch, size), np.float32) for size in sizes]
    changes = [np.empty((batch, size), np.float32) for size in sizes]
    slopes = [np.empty((batch, size), np.float32) for size in sizes]
    gradients = [np.empty((a, b), np.float32) for a, b in zip(sizes, sizes[1:])]
    rows = np.arange(batch)

    def step(parameters, indices):
        # mode="clip" writes straight into `out`; the default checks through a buffer
        np.take(problem.images, indices, axis=0, out=units[0], mode="clip")
        last = len(parameters) - 1
        for layer, (weight, bias) in enumerate(parameters):
            y = units[layer + 1]
            np.dot(units[layer], weight, out=y)
            y += bias
            if layer == last:
                y -= y.max(1, keepdims=True)
                np.exp(y, out=y)
                y /= y.sum(1, keepdims=True)
            elif relu:
                np.maximum(y, 0, out=y)
            else:
                np.negative(y, out=y)
                np.exp(y, out=y)
                y += 1
                np.reciprocal(y, out=y)
        change = changes[-1]
        np.copyto(change, units[-1])
        change[rows, problem.labels[indices]] -= 1
        change *= rate / np.float32(batch)
        for layer in range(last, -1, -1):
            weight, bias = parameters[layer]
            change = changes[layer + 1]
            np.dot(units[layer].T, change, out=gradients[layer])
            if layer:
                below, y, slope = changes[layer], units[layer], slopes[layer]
                np.dot(change, weight.T, out=below)
                if relu:
                    np.greater(y, 0, out=slope, casting="unsafe")
                else:
                    np.subtract(1, y, out=slope)
                    slope *= y
                below *= slope
            weight -= gradients[layer]
            bias -= change.sum(0)

    def run(indices):
        parameters = [(weight.copy(), bias.copy()) for weight, bias in problem.parameters]
        for row in indices:
            step(parameters, row)
        return parameters

    return run


def matmul(options, a, b):
    out = np.empty_like(a)
    return lambda: np.dot(a, b, out=out)


peer.main(f"NumPy {np.__version__}", trainer, matmul)
