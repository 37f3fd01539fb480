"""tinygrad: the step captured by TinyJit, on the device that its environment names (DEV=CPU, DEV=WEBGPU). See peer.py for the command line."""

import importlib.metadata
import importlib.util
import os
import pathlib

import numpy as np

import peer

dawn = importlib.util.find_spec("pydawn")
if dawn and dawn.submodule_search_locations:
    # `pip install dawn-python` brings the library that tinygrad's WebGPU device looks for
    os.environ.setdefault("WEBGPU_PATH", str(pathlib.Path(dawn.submodule_search_locations[0]) / "lib" / "libwebgpu_dawn_x86_64.so"))

from tinygrad import Device, Tensor, TinyJit  # noqa: E402 (after the path is set)


def trainer(problem):
    count = len(problem.parameters)
    parameters = [Tensor(array).realize() for pair in problem.parameters for array in pair]

    def loss(x, t):
        for layer in range(count):
            x = x @ parameters[2 * layer] + parameters[2 * layer + 1]
            if layer < count - 1:
                x = x.relu() if problem.activation == "relu" else x.sigmoid()
        return x.sparse_categorical_crossentropy(t)

    @TinyJit
    def step(x, t):
        gradients = loss(x, t).gradient(*parameters)
        for parameter, gradient in zip(parameters, gradients):
            parameter.assign(parameter - problem.rate * gradient)
        Tensor.realize(*parameters)

    def run(indices):
        arrays = [array for pair in problem.parameters for array in pair]
        Tensor.realize(*[parameter.assign(Tensor(array)) for parameter, array in zip(parameters, arrays)])
        for row in indices:
            # batches are gathered on the host: 188 MB of images do not fit a binding of 128 MiB
            step(Tensor(problem.images[row]).realize(), Tensor(problem.labels[row]).realize())
        Device[Device.DEFAULT].synchronize()
        arrays = [parameter.numpy() for parameter in parameters]
        return list(zip(arrays[::2], arrays[1::2]))

    return run


def matmul(options, a, b):
    a, b = Tensor(a).realize(), Tensor(b).realize()
    product = TinyJit(lambda a, b: (a @ b).realize())

    def call():
        result = product(a, b)
        Device[Device.DEFAULT].synchronize()
        return result

    for _ in range(3):
        call()
    np.testing.assert_allclose(call().numpy(), a.numpy() @ b.numpy(), atol=1e-2)
    return Once(call)


class Once:
    """The first result comes back as an array for peer.py's check; later calls leave it on the device, as the other peers do."""

    def __init__(self, call):
        self.call, self.first = call, True

    def __call__(self):
        result = self.call()
        if self.first:
            self.first = False
            return result.numpy()
        return result


peer.main(f"tinygrad {importlib.metadata.version('tinygrad')} ({Device.DEFAULT})", trainer, matmul)
