"""Gradients of functions by differences: gpu-train beside SciPy's approx_derivative and numdifftools.

    cargo build --release --examples
    python3 benches/peers/functions.py target/release/gpu-train [--device software] [--rounds 3] [--large]

Needs numpy, scipy, numdifftools and safetensors. Each function's gradient is compared with the derivatives worked out by
hand, in float64; all programs use the same point. The programs run in turn, and a time is the median of the rounds. With
--large, a gradient of 100,000 variables in WGSL stands beside the same in NumPy.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import numdifftools
import numpy as np
from safetensors.numpy import load_file, save_file
from scipy.optimize._numdiff import approx_derivative

HERE = pathlib.Path(__file__).parent
TERMS = 1_000_000
T = (2 * np.arange(TERMS) + 1) / TERMS - 1


def spread(count):
    return 2 * np.modf(np.arange(1, count + 1) * 0.618_033_988_75)[0] - 0.5


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def rosenbrock_gradient(x):
    inner = x[1:] - x[:-1] ** 2
    gradient = np.zeros_like(x)
    gradient[:-1] += -400 * x[:-1] * inner - 2 * (1 - x[:-1])
    gradient[1:] += 200 * inner
    return gradient


def long_sum(x):
    return (1 / (1 + np.exp(-(x[0] * T + x[1]))) + x[2] * T * T).sum()


def long_sum_gradient(x):
    share = 1 / (1 + np.exp(-(x[0] * T + x[1])))
    slope = share * (1 - share)
    return np.array([(slope * T).sum(), slope.sum(), (T * T).sum()])


def chain(x):
    """function.wgsl."""
    p = x.reshape(-1, 3)
    d = np.diff(p, axis=0)
    stretch = np.sqrt((d * d).sum(1)) - 0.8
    bend = p[:-2] - 2 * p[1:-1] + p[2:]
    i, k = np.triu_indices(len(p), 1)
    near = 1 / (((p[k] - p[i]) ** 2).sum(1) + 0.1)
    return 0.05 * (p * p).sum() + 2 * (stretch**2).sum() + 0.25 * (bend * bend).sum() + 0.3 * (near * near).sum()


def chain_gradient(x):
    p = x.reshape(-1, 3)
    gradient = 0.1 * p
    d = np.diff(p, axis=0)
    length = np.sqrt((d * d).sum(1, keepdims=True))
    pull = 4 * (length - 0.8) * d / length
    gradient[:-1] -= pull
    gradient[1:] += pull
    bend = 0.5 * (p[:-2] - 2 * p[1:-1] + p[2:])
    gradient[:-2] += bend
    gradient[1:-1] -= 2 * bend
    gradient[2:] += bend
    i, k = np.triu_indices(len(p), 1)
    d = p[k] - p[i]
    push = -1.2 * d / ((d * d).sum(1, keepdims=True) + 0.1) ** 3
    np.add.at(gradient, k, push)
    np.add.at(gradient, i, -push)
    return gradient.ravel()


class Counted:
    """A function that knows how often it was called."""

    def __init__(self, f):
        self.f, self.calls = f, 0

    def __call__(self, x):
        self.calls += 1
        return self.f(x)


def peers(f, x):
    """The peers' gradients, each with its own estimate where it has one."""
    counted = Counted(f)
    found = {}
    for method in ("2-point", "3-point"):
        counted.calls, begun = 0, time.perf_counter()
        gradient = approx_derivative(counted, x, method=method)
        found[f"SciPy {method}"] = (gradient, time.perf_counter() - begun, counted.calls, None)
    counted.calls, begun = 0, time.perf_counter()
    result = numdifftools.Gradient(counted, full_output=True)(x)
    estimate = np.linalg.norm(result.error_estimate)
    found["numdifftools"] = (result.estimate.ravel(), time.perf_counter() - begun, counted.calls, estimate)
    return found


def ours_in_rust(binary, name):
    example = pathlib.Path(binary).parent / "examples" / "functions"
    run = json.loads(subprocess.run([example], check=True, capture_output=True).stdout)
    rows = ((difference, row[name]) for difference, row in run.items())
    return {
        f"gpu-train {difference}": (np.array(row["gradient"]), row["seconds"], row["evaluations"], row["estimate"])
        for difference, row in rows
    }


def ours_in_wgsl(options, source, x, differences):
    """The command, as anybody calls it; the time is the gradient's after one that warms up."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        at, out = pathlib.Path(folder, "at.safetensors"), pathlib.Path(folder, "out.safetensors")
        save_file({"x": x.astype(np.float32)}, at)
        for difference in differences:
            command = [options.binary, "gradient", "--wgsl", source, "--at", at, "--out", out, "--difference", difference]
            command += ["--device", options.device, "--json", "--quiet", "--repeat", "1"]
            run = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            tensor = run["tensors"][0]
            estimate = tensor["truncation_estimate"] + tensor["rounding_estimate"]
            found[f"gpu-train {difference}, {run['device']['name'].split(' ')[0]}, float32"] = (
                load_file(out)["x"], run["seconds"], run["loss_evaluations"], estimate
            )
    return found


def table(title, x, exact, run, rounds):
    found = [run() for _ in range(rounds)]
    size = np.linalg.norm(exact)
    print(f"\n{title}\n\n| | error | estimate | evaluations | time |\n| --- | --- | --- | --- | --- |")
    for name, (gradient, _, evaluations, estimate) in found[-1].items():
        error = np.linalg.norm(gradient - exact) / size
        seconds = statistics.median(round[name][1] for round in found)
        told = "-" if estimate is None else f"{estimate / size:.1e}"
        print(f"| {name} | {error:.1e} | {told} | {evaluations:,} | {seconds * 1e3:,.2f} ms |", flush=True)


def numpy_large(x, step, calls):
    """Central differences in float32, variable by variable, in buffers that are used again; as seconds for all of them."""
    x = x.astype(np.float32)
    a, b = np.empty_like(x[1:]), np.empty_like(x[1:])
    hundred, one = np.float32(100), np.float32(1)

    def buffers():
        np.multiply(x[:-1], x[:-1], out=a)
        np.subtract(x[1:], a, out=a)
        np.multiply(a, a, out=a)
        np.multiply(a, hundred, out=a)
        np.subtract(one, x[:-1], out=b)
        np.multiply(b, b, out=b)
        np.add(a, b, out=a)
        return a.sum()

    def products():
        np.multiply(x[:-1], x[:-1], out=a)
        np.subtract(x[1:], a, out=a)
        np.subtract(one, x[:-1], out=b)
        return hundred * np.dot(a, a) + np.dot(b, b)

    found = {}
    for name, f in (("as it stands", lambda: rosenbrock(x)), ("buffers", buffers), ("dot products", products)):
        begun = time.perf_counter()
        for i in range(calls // 2):
            own = x[i]
            for moved in (own + step, own - step):
                x[i] = moved
                f()
            x[i] = own
        found[f"NumPy, {name}"] = (time.perf_counter() - begun) / calls * 2 * len(x)
    return found


def large(options):
    x = spread(100_000)
    exact = rosenbrock_gradient(x.astype(np.float32).astype(float))
    rounds = []
    for _ in range(options.rounds):
        times = numpy_large(x, np.float32(5e-3), 2_000)
        ours = ours_in_wgsl(options, HERE / "rosenbrock.wgsl", x, ["central"])
        (gradient, seconds, evaluations, estimate), size = next(iter(ours.values())), np.linalg.norm(exact)
        rounds.append(times | {"gpu-train central": seconds})
    print("\nRosenbrock's function in 100,000 dimensions, central, float32\n\n| | time | of the fastest NumPy |\n| --- | --- | --- |")
    medians = {name: statistics.median(round[name] for round in rounds) for name in rounds[0]}
    fastest = min(seconds for name, seconds in medians.items() if name.startswith("NumPy"))
    for name, seconds in medians.items():
        print(f"| {name} | {seconds:.1f} s | {seconds / fastest:.2f} |")
    error = np.linalg.norm(gradient - exact)
    print(f"\ngpu-train: {evaluations:,} evaluations, error {error / size:.1e}, estimate {estimate / size:.1e}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--device", default="software")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    if options.large:
        large(options)
        return
    x = spread(100)
    run = lambda: ours_in_rust(options.binary, "rosenbrock") | peers(rosenbrock, x)
    table("Rosenbrock's function in 100 dimensions, float64", x, rosenbrock_gradient(x), run, options.rounds)
    x = np.array([1.3, -0.4, 0.7])
    run = lambda: ours_in_rust(options.binary, "long sum") | peers(long_sum, x)
    table("A sum of a million terms, 3 variables, float64", x, long_sum_gradient(x), run, options.rounds)
    # The point that float32 has, for all.
    x = spread(60).astype(np.float32).astype(float)
    run = lambda: ours_in_wgsl(options, HERE / "function.wgsl", x, ["forward", "central", "richardson"]) | peers(chain, x)
    table("function.wgsl, 60 variables; the peers call the same in NumPy, float64", x, chain_gradient(x), run, options.rounds)


if __name__ == "__main__":
    main()
