"""Training steps per second: gpu-train's numerical gradient and back-propagation beside JAX's back-propagation.

    python3 benches/peers/compare.py target/release/gpu-train DATA_DIR [--rounds 5] [--network 784-50-10] [--batch 100]

DATA_DIR holds mnist/. The programs run in turn, all cores each, and medians over the rounds are printed as a table: on a shared
machine only rows of one run compare. JAX draws, gathers and steps under one compiled scan, its fastest form.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys


def ours(options, gradient, steps):
    sizes = options.network.split("-")
    command = [options.binary, "train", "--dataset", "mnist", "--data-dir", options.data, "--device", options.device]
    command += ["--hidden", ",".join(sizes[1:-1]), "--batch-size", str(options.batch), "--gradient", gradient]
    command += ["--activation", options.activation, "--steps", str(steps), "--eval-every", "1000000000"]
    command += ["--init", "normal:0.01" if len(sizes) == 3 else "xavier", "--json", "--quiet"]
    run = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return run["steps_per_second"]


def jax(options, steps):
    script = pathlib.Path(__file__).with_name("jax_steps.py")
    folder = pathlib.Path(options.data) / "mnist"
    command = [sys.executable, script, folder, options.network, str(options.batch), str(steps)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["steps_per_second"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("data")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--network", default="784-50-10")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--activation", default="sigmoid")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--no-jax", action="store_true")
    options = parser.parse_args()
    rows = {
        "numerical": lambda: ours(options, "numerical", options.steps),
        "back-propagation": lambda: ours(options, "backprop", options.steps),
    }
    if not options.no_jax:
        rows["JAX, back-propagation"] = lambda: jax(options, options.steps)
    found = {name: [] for name in rows}
    for _ in range(options.rounds):
        for name, run in rows.items():
            found[name].append(run())
    base = statistics.median(found["back-propagation"])
    print(f"{options.network}, batch {options.batch}, {options.activation}, {options.device}, {options.rounds} rounds")
    print("| | steps/s | of our back-propagation | least | most |")
    print("| --- | --- | --- | --- | --- |")
    for name, rates in found.items():
        median = statistics.median(rates)
        print(f"| {name} | {median:,.1f} | {median / base:.2f} | {min(rates):,.1f} | {max(rates):,.1f} |")


main()
