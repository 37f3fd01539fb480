"""How each program is called: gpu-train, and the peers. Every call gives one measurement as a dictionary, with what `machine.Run` saw."""

import json
import pathlib

from machine import Run

HERE = pathlib.Path(__file__).parent.resolve()
PYTHON_PEERS = {
    "numpy": ("numpy_peer.py", [], {}),
    "torch": ("torch_peer.py", [], {}),
    "torch-compiled": ("torch_peer.py", ["--compile"], {}),
    "jax": ("jax_peer.py", [], {}),
    "tinygrad": ("tinygrad_peer.py", [], {"DEV": "CPU"}),
    "tinygrad-webgpu": ("tinygrad_peer.py", [], {"DEV": "WEBGPU"}),
}
# built by the user: `cargo build --release` with the manifest of each; products as small as the textbook's network has are faster on
# one thread of candle's and burn's than on two
CANDLE, BURN = "candle/target/release/candle-peer", "burn/target/release/burn-peer"
RUST_PEERS = {
    "candle": (CANDLE, [], {}),
    "candle-single": (CANDLE, [], {"RAYON_NUM_THREADS": "1"}),
    "burn": (BURN, ["--device", "cpu"], {}),
    "burn-single": (BURN, ["--device", "cpu"], {"RAYON_NUM_THREADS": "1"}),
    "burn-wgpu": (BURN, ["--device", "wgpu"], {}),
}
OURS = {"numerical": "numerical", "backprop": "backprop"}


def measured(run):
    last = run.output.strip().splitlines()[-1]
    return {
        **json.loads(last), "wall_seconds": run.seconds, "processor_seconds": run.processor_seconds,
        "others": run.others, "begun": run.begun,
    }


def train_command(options, gradient, steps, rate):
    sizes = options.network.split("-")
    command = [options.binary, "train", "--dataset", "mnist", "--data-dir", options.data, "--device", options.device]
    command += ["--hidden", ",".join(sizes[1:-1]), "--batch-size", options.batch, "--gradient", gradient]
    command += ["--activation", options.activation, "--steps", steps, "--eval-every", 1_000_000_000, "--lr", rate]
    command += ["--init", "normal:0.01" if len(sizes) == 3 else "xavier", "--json", "--quiet"]
    return command + (["--threads", 1] if options.threads == 1 else [])


def peer_command(options, name, task):
    """The command and what it wants in its environment."""
    if name in RUST_PEERS:
        binary, more, environment = RUST_PEERS[name]
        return [HERE / binary, task, *more], environment
    script, more, environment = PYTHON_PEERS[name]
    return [options.python, HERE / script, task, *more], environment


def limits(options):
    """One thread for everybody where one is asked for; the peers take as many as there are processors otherwise."""
    if options.threads != 1:
        return {}
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"]
    return {name: "1" for name in names}


def train(options, name, steps, rate=0.1):
    core = options.core if options.threads == 1 else None
    if name in OURS:
        result = measured(Run(train_command(options, OURS[name], steps, rate), limits(options), core=core))
        if options.threads == 1:
            # loading and evaluation are the same in a run of one step
            one = Run(train_command(options, OURS[name], 1, rate), limits(options), core=core)
            spent = result["processor_seconds"] - one.processor_seconds
            result["steps_per_processor_second"] = (steps - 1) / spent
        return result
    command, environment = peer_command(options, name, "train")
    command += ["--data", options.data, "--network", options.network, "--batch", options.batch]
    command += ["--activation", options.activation, "--steps", steps, "--rate", rate]
    return measured(Run(command, {**environment, **limits(options)}, core=core))


def matmul(options, name):
    core = options.core if options.threads == 1 else None
    if name == "ours":
        shape = "x".join([str(options.size)] * 3)
        command = [options.binary, "bench", "--suite", "kernels", "--filter", shape, "--device", options.device, "--json", "--quiet"]
        result = measured(Run(command, limits(options), core=core))
        row = next(row for row in result["results"] if row["shape"] == shape)
        return {**result, "gflops": row["gflops"], "version": f"gpu-train {result['version']}"}
    command, environment = peer_command(options, name, "matmul")
    return measured(Run([*command, "--size", options.size], {**environment, **limits(options)}, core=core))


def caches(folder):
    """Everything that these programs keep from one start to the next goes into `folder`."""
    (folder / "cubecl.toml").write_text('[environment]\npath = "local"\n')
    return {
        "XDG_CACHE_HOME": str(folder), "MESA_SHADER_CACHE_DIR": str(folder / "mesa"), "CACHEDB": str(folder / "tinygrad.db"),
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
    }


def start(options, name, folder):
    """Seconds from the start of the process to the end of its first step: `first_step`; and until the prompt is back: `wall_seconds`."""
    environment = caches(folder)
    if name in OURS:
        run = Run(train_command(options, OURS[name], 1, 0.1), environment, folder=folder)
        result = measured(run)
        return {**result, "first_step": result["first_step_seconds"]}
    command, more = peer_command(options, name, "start")
    command += ["--data", options.data, "--network", options.network, "--batch", options.batch, "--activation", options.activation]
    result = measured(Run(command, {**environment, **more}, folder=folder))
    return {**result, "first_step": result["first_step_at"] - result["begun"]}


def accuracy(options, name):
    """A run of `epochs` with ReLU from the prompt back to it, the data loaded and both splits evaluated."""
    network = options.network.split("-")
    core = options.core if options.threads == 1 else None
    if name in OURS:
        command = [options.binary, "train", "--dataset", "mnist", "--data-dir", options.data, "--device", options.device, "--quiet", "--json"]
        command += ["--hidden", ",".join(network[1:-1]), "--activation", "relu", "--init", "he", "--batch-size", options.batch]
        command += ["--optimizer", options.optimizer, "--lr", options.rate, "--epochs", options.epochs, "--sampling", "epoch"]
        command += ["--gradient", OURS[name], "--eval-every", 1_000_000_000]
        command += ["--threads", 1] if options.threads == 1 else []
        result = measured(Run(command, limits(options), core=core))
        return {**result, "training_seconds": result["seconds"]}
    command, environment = peer_command(options, name, "accuracy")
    command += ["--data", options.data, "--network", options.network, "--batch", options.batch, "--epochs", options.epochs]
    command += ["--optimizer", options.optimizer, "--rate", options.rate]
    return measured(Run(command, {**environment, **limits(options)}, core=core))
