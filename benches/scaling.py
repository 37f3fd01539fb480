"""Cost grows as the work does: gpu-train's time for a step against batch, width, depth and data size, on the CPU path.

    python3 benches/scaling.py target/release/gpu-train DATA_DIR [--rounds 3] [--gradient backprop,numerical] [--plot scaling.svg]

Each point is processor time on one thread, which other programs change least: a run of many steps less a run of one, which loads and
evaluates the same, each the least of the rounds. Slopes are fits in log-log: 1 where twice the size costs twice the time.
Beside each stands the slope of the dense multiply-adds over the same points (forward, weights' gradient, and what goes back through the
upper layers), which is what a slope has to be held against.
"""

import argparse
import gzip
import math
import pathlib
import struct
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent / "peers"))
import machine  # noqa: E402 (beside this file)
import programs  # noqa: E402

BATCHES = [25, 50, 100, 200, 400, 800]
WIDTHS = [32, 64, 128, 256, 512, 1024]
DEPTHS = [1, 2, 3, 4, 6]
SAMPLES = [7_500, 15_000, 30_000, 60_000, 120_000]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("data", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gradient", default="backprop,numerical")
    parser.add_argument("--seconds", type=float, default=0.3, help="of the processor that a point's steps take, at least")
    parser.add_argument("--plot", type=pathlib.Path, help="a picture, where matplotlib is installed")
    return parser.parse_args()


def run(options, folder, hidden, batch, gradient, steps):
    command = [options.binary, "train", "--dataset", folder, "--device", "cpu", "--threads", 1, "--json", "--quiet"]
    command += ["--hidden", ",".join(map(str, hidden)), "--batch-size", batch, "--gradient", gradient, "--init", "xavier"]
    command += ["--steps", steps, "--eval-every", 1_000_000_000]
    return programs.measured(machine.Run(command))


def step_seconds(options, folder, hidden, batch, gradient):
    """Of the processor, for one step."""
    def spent(steps, rounds):
        return min(run(options, folder, hidden, batch, gradient, steps)["processor_seconds"] for _ in range(rounds))

    one, steps = spent(1, options.rounds), 4
    while True:
        many = spent(1 + steps, 1)
        if many - one > options.seconds or steps > 100_000:
            break
        # towards a little more than is wanted, and no wild guess from a difference that is mostly noise
        steps = min(8 * steps, math.ceil(1.3 * steps * options.seconds / max(many - one, 1e-3)) + steps)
    return (min(many, spent(1 + steps, options.rounds)) - one) / steps


def multiply_adds(hidden, batch):
    """Of a dense back-propagation step on MNIST."""
    sizes = [784, *hidden, 10]
    pairs = [a * b for a, b in zip(sizes, sizes[1:])]
    return batch * (2 * sum(pairs) + sum(pairs[1:]))


def slope(xs, ys):
    """Of the straight line through the logarithms, by least squares."""
    xs, ys = [math.log(x) for x in xs], [math.log(y) for y in ys]
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys)) / sum((x - middle_x) ** 2 for x in xs)


def data_set(source, target, samples):
    """A folder with MNIST's first training samples, over again from the start where there are not that many; the test split as it is."""
    target.mkdir()
    for name in ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]:
        (target / name).write_bytes((source / name).read_bytes())
    for name, header, size in [("train-images-idx3-ubyte.gz", 16, 784), ("train-labels-idx1-ubyte.gz", 8, 1)]:
        data = gzip.decompress((source / name).read_bytes())
        body = data[header:]
        body = (body * (samples * size // len(body) + 1))[: samples * size]
        (target / name).write_bytes(gzip.compress(data[:4] + struct.pack(">I", samples) + data[8:header] + body, 1))
    return target


def report(title, unit, xs, times, work=None):
    """A row a point, and the fits: of all points, and of the upper three, where fixed costs weigh least."""
    print(f"{title}:\n")
    print("| " + " | ".join([unit, *[f"{x:,}" for x in xs], "slope", "of the upper three", "of the multiply-adds"]) + " |")
    print("| " + " | ".join(["---"] * (len(xs) + 4)) + " |")
    columns = [f"{1e6 * time:,.0f}" for time in times]
    fits = [f"{slope(xs, times):.2f}", f"{slope(xs[-3:], times[-3:]):.2f}", f"{slope(xs, work):.2f}" if work else "-"]
    print("| " + " | ".join(["us", *columns, *fits]) + " |\n", flush=True)
    return title, unit, xs, times


def draw(path, curves):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len({unit for _, unit, _, _ in curves}), figsize=(16, 4), squeeze=False)
    places = {unit: axis for unit, axis in zip(dict.fromkeys(unit for _, unit, _, _ in curves), axes[0])}
    for title, unit, xs, times in curves:
        places[unit].loglog(xs, times, "o-", label=title)
        places[unit].set(xlabel=unit, ylabel="seconds")
        places[unit].legend(fontsize=6)
    figure.tight_layout()
    figure.savefig(path)


def main():
    options = parse()
    mnist = options.data / "mnist"
    curves = []
    for gradient in options.gradient.split(","):
        times = [step_seconds(options, mnist, [50], batch, gradient) for batch in BATCHES]
        work = [multiply_adds([50], batch) for batch in BATCHES]
        curves.append(report(f"{gradient}, 784-50-10, a step against the batch", "batch", BATCHES, times, work))
        times = [step_seconds(options, mnist, [width], 100, gradient) for width in WIDTHS]
        work = [multiply_adds([width], 100) for width in WIDTHS]
        curves.append(report(f"{gradient}, 784-W-10, batch 100, a step against the width", "width", WIDTHS, times, work))
        widths = WIDTHS[:-1] if gradient == "backprop" else WIDTHS[:-2]
        times = [step_seconds(options, mnist, [width, width], 100, gradient) for width in widths]
        work = [multiply_adds([width, width], 100) for width in widths]
        curves.append(report(f"{gradient}, 784-W-W-10, batch 100, a step against the width", "width of two", widths, times, work))
        times = [step_seconds(options, mnist, [64] * depth, 100, gradient) for depth in DEPTHS]
        work = [multiply_adds([64] * depth, 100) for depth in DEPTHS]
        curves.append(report(f"{gradient}, layers of 64, batch 100, a step against the depth", "hidden layers", DEPTHS, times, work))
    with tempfile.TemporaryDirectory() as folder:
        folders = [data_set(mnist, pathlib.Path(folder) / str(samples), samples) for samples in SAMPLES]
        times = [step_seconds(options, place, [50], 100, "backprop") for place in folders]
        curves.append(report("backprop, 784-50-10, batch 100, a step against the data's size", "samples", SAMPLES, times))
        times = [
            min(run(options, place, [50], 100, "backprop", 1)["processor_seconds"] for _ in range(options.rounds)) for place in folders
        ]
        curves.append(report("a run of one step: loading, and evaluation of both splits", "samples, all", SAMPLES, times))
    if options.plot:
        draw(options.plot, curves)


if __name__ == "__main__":
    main()
