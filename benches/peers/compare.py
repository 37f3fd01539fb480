"""gpu-train beside its peers: the same data, shapes and threads, the programs in turn, medians over rounds.

    cargo build --release
    pip install torch jax tinygrad numpy
    cargo build --release --manifest-path benches/peers/candle/Cargo.toml  (for the rows candle and candle-single; burn likewise)
    python3 benches/peers/compare.py train    target/release/gpu-train DATA_DIR [--network 784-50-10] [--batch 100] [--activation sigmoid]
    python3 benches/peers/compare.py train    ... --device software --rows numerical,backprop,tinygrad-webgpu
    python3 benches/peers/compare.py matmul   ... [--size 1024] --rows ours,numpy,torch,jax
    python3 benches/peers/compare.py start    ... --device software --rows backprop,tinygrad-webgpu  (cold and warm, to the first step)
    python3 benches/peers/compare.py accuracy ... --network 784-128-10 --epochs 3 --rows backprop,torch

DATA_DIR holds mnist/. On a shared machine only rows of one run compare, and not all of those: a run waits until other programs are quiet,
and only runs that stayed quiet count, where there are any (column "quiet runs"; a star where none was; "others" is how many processors
other programs used). With --threads 1 everything runs on one processor and rates are per second of the processor's time, which other
programs change least; on both, they slow those down most that wait for their threads in a loop.

Before `train` is timed, every program must have learnt the same: test loss after --check-steps within --tolerance of ours. That
this check can fail is tried with a run whose learning rate is 1e-9, which it has to refuse.
"""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile

import machine
import programs

LABELS = {
    "ours": "gpu-train", "numerical": "gpu-train, numerical gradient", "backprop": "gpu-train, back-propagation", "numpy": "NumPy", "torch": "PyTorch, eager",
    "torch-compiled": "PyTorch, compiled", "jax": "JAX, jit and scan",
    "tinygrad": "tinygrad, CPU", "tinygrad-webgpu": "tinygrad, WebGPU",
    "candle": "candle, CPU", "candle-single": "candle, one thread",
    "burn": "burn, CPU (flex)", "burn-single": "burn, one thread", "burn-wgpu": "burn, wgpu",
}
CPU_ROWS = "numerical,backprop,jax,torch,torch-compiled,numpy,tinygrad"


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["train", "matmul", "start", "accuracy"])
    parser.add_argument("binary", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("data", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--rows", default=CPU_ROWS, help=f"as a list, of {', '.join(LABELS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--network", default="784-50-10")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--activation", default="sigmoid", choices=["sigmoid", "relu"])
    parser.add_argument("--device", default="cpu", help="of gpu-train")
    parser.add_argument("--threads", type=int, default=2, choices=[1, 2], help="2: as many as there are processors")
    parser.add_argument("--core", type=int, default=0, help="the processor of --threads 1")
    parser.add_argument("--seconds", type=float, default=2.0, help="that a timed run trains")
    parser.add_argument("--check-steps", type=int, default=600)
    parser.add_argument("--tolerance", type=float, default=0.1, help="of the test loss, as a share of ours")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--optimizer", default="adam", choices=["sgd", "momentum", "adam"])
    parser.add_argument("--rate", type=float, default=0.001, help="learning rate of `accuracy`")
    parser.add_argument("--quiet-below", type=float, default=0.25, help="processors that others may use in a quiet run")
    parser.add_argument("--patience", type=float, default=20, help="seconds to wait for quiet before each run")
    parser.add_argument("--python", default=sys.executable, help="of the Python peers")
    here = pathlib.Path(__file__).parent.resolve()
    parser.add_argument("--json", type=pathlib.Path, help="every single run, into this file")
    options = parser.parse_args()
    options.rows = options.rows.split(",")
    unknown = [name for name in options.rows if name not in LABELS]
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}")
    return options


def check(options):
    """The steps of a timed run, by row. Rows that fail, or learnt something else, are named and left out."""
    ours = programs.train(options, "backprop", options.check_steps)

    def strays(result):
        return abs(result["test_loss"] - ours["test_loss"]) > options.tolerance * ours["test_loss"]

    if not strays(programs.train(options, "backprop", options.check_steps, rate=1e-9)):
        sys.exit("the check of the losses accepts a network that learnt nothing: more --check-steps")
    steps = {}
    for name in options.rows:
        try:
            result = programs.train(options, name, options.check_steps)
        except (RuntimeError, OSError) as error:
            print(f"{name} left out: {error}", file=sys.stderr)
            continue
        if strays(result):
            print(f"{name} left out: test loss {result['test_loss']:.4f}, ours {ours['test_loss']:.4f}", file=sys.stderr)
            continue
        steps[name] = max(20, round(result["steps_per_second"] * options.seconds))
        print(f"{name}: test loss {result['test_loss']:.4f}, {result['steps_per_second']:.1f} steps/s", file=sys.stderr)
    return steps


def rounds(options, names, measure):
    """Results by row, one a round, the rows in turn."""
    found = {name: [] for name in names}
    for number in range(options.rounds):
        for name in names:
            machine.wait_for_quiet(options.quiet_below, options.patience)
            result = measure(name)
            found[name].append(result)
            print(f"round {number + 1}, {name}, others {result['others']:.2f}", file=sys.stderr)
    return found


def quiet(options, results):
    """Those that count: all of one processor's time, else those that ran while others were quiet, where there are any."""
    return [result for result in results if options.threads == 1 or result["others"] < options.quiet_below]


def table(options, found, key, unit, base, digits=1):
    """One row a program: the median, its ratio to the row `base`, least and most, what others used meanwhile (median, processors)."""
    rows = {}
    for name, results in found.items():
        counted = quiet(options, results)
        rows[name] = [result[key] for result in counted or results], len(counted), statistics.median(result["others"] for result in results)
    first = statistics.median(rows[base][0]) if base in rows else float("nan")
    print(f"| | {unit} | of {LABELS[base]} | least | most | quiet runs | others |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, (values, count, others) in rows.items():
        median = statistics.median(values)
        median_text, least, most = (f"{value:,.{digits}f}" for value in (median, min(values), max(values)))
        runs = "-" if options.threads == 1 else f"{count} of {len(found[name])}"
        star = "" if count else " *"
        print(f"| {LABELS[name]}{star} | {median_text} | {median / first:.2f} | {least} | {most} | {runs} | {others:.2f} |")
    print(flush=True)


def versions(found):
    names = sorted({results[0]["version"] for results in found.values() if results and "version" in results[0]})
    print("; ".join(names) + "\n")


def main():
    options = parse()
    shape = f"{options.network}, batch {options.batch}, {options.activation}, {options.device}"
    base = next(name for name in ["backprop", "ours", *options.rows] if name in options.rows)
    if options.task == "train":
        steps = check(options)
        found = rounds(options, steps, lambda name: programs.train(options, name, steps[name]))
        key, unit = ("steps_per_second", "steps/s")
        if options.threads == 1:
            key, unit = "steps_per_processor_second", "steps a second of one processor"
        print(f"{shape}, {options.threads} threads, {options.rounds} rounds of {options.seconds:g} s:\n")
        table(options, found, key, unit, base)
    elif options.task == "matmul":
        found = rounds(options, options.rows, lambda name: programs.matmul(options, name))
        print(f"matrix product {options.size} cubed, float32, {options.device}, {options.threads} threads, {options.rounds} rounds:\n")
        table(options, found, "gflops", "GFLOP/s", base)
    elif options.task == "accuracy":
        found = rounds(options, options.rows, lambda name: programs.accuracy(options, name))
        run = f"{options.optimizer}, rate {options.rate:g}, {options.epochs} epochs, {options.rounds} rounds"
        print(f"{options.network}, ReLU, batch {options.batch}, {run}:\n")
        for key, unit, digits in [
            ("wall_seconds", "s from the prompt and back", 2), ("processor_seconds", "s of the processor", 2), ("training_seconds", "s of training", 2), ("test_accuracy", "test accuracy", 4),
        ]:
            table(options, found, key, unit, base, digits)
    else:
        found = {}
        for state in ["cold", "warm"]:
            found[state] = {name: [] for name in options.rows}
        for _ in range(options.rounds):
            for name in options.rows:
                with tempfile.TemporaryDirectory() as folder:
                    for state in ["cold", "warm"]:
                        machine.wait_for_quiet(options.quiet_below, options.patience)
                        found[state][name].append(programs.start(options, name, pathlib.Path(folder)))
        for state in ["cold", "warm"]:
            print(f"{shape}, caches {state}, {options.rounds} rounds:\n")
            table(options, found[state], "first_step", "s to the end of the first step", base, 2)
            table(options, found[state], "wall_seconds", "s until the prompt is back", base, 2)
    flat = found if options.task != "start" else found["warm"]
    versions(flat)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
