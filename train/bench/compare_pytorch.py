"""Our speed against PyTorch's on this machine, as a Markdown table. For development only: nothing at build or run time
needs Python.

    pip install torch torchvision
    pip install numpy safetensors
    cargo build --release
    python train/bench/compare_pytorch.py                             everything, about half an hour
    python train/bench/compare_pytorch.py --only block,gemm --rounds 3 --json numbers.json

Every measurement is a process of its own, so that its peak of memory is its own; ours (`mutualformer bench`) and PyTorch's
(`pytorch_side.py`) run in turn, `--rounds` times, and medians over the rounds are printed. A ratio above 1 means that ours
is faster. Run it on a machine that does nothing else: the threads of both sides wait for each other, PyTorch's more, and
the load before the first measurement is printed. Where the machine is busy all the same, `--threads 1` and the ratio of the
fastest rounds say more.
"""

import argparse
import datetime
import json
import math
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

# Batch, tokens, channels, heads, and the PyTorch/ours to reach: as released, and with its products re-associated.
BLOCKS = [(4, 196, 384, 6, 1.4, 1.2), (2, 784, 256, 8, 6.0, 1.3), (1, 1600, 256, 8, 14.0, 1.5)]
LONG = [3136, 12544]
NETWORKS = [("demo", 16, 96), ("mutualformer-resnet50", 2, 256), ("mutualformer-mobilenetv2", 2, 256)]

# PyTorch/ours to reach where nothing else is said, and for the slowest of several products or convolutions.
TARGET = 1.0
TARGET_PRODUCT = 0.9
TARGET_WORST = 0.7


class Bench:
    """Runs both sides in turn and remembers every report."""

    def __init__(self, args):
        self.args = args
        self.raw = []

    def ours(self, what, **options):
        return [str(self.args.binary), "bench", what, "--json", *self.flags(options)]

    def theirs(self, what, **options):
        return [sys.executable, str(HERE / "pytorch_side.py"), what, *self.flags(options)]

    def flags(self, options):
        flags = ["--threads", str(self.args.threads)]
        for name, value in options.items():
            flags += [f"--{name}"] if value is True else [f"--{name}", str(value)]
        return flags

    def in_turn(self, commands):
        """{name: command} to {name: reports}; a command that fails has none, and the reason is printed."""
        reports = {name: [] for name in commands}
        for turn in range(self.args.rounds):
            order = list(commands) if turn % 2 == 0 else list(commands)[::-1]
            for name in order:
                if reports[name] is not None:
                    report = self.run(commands[name])
                    reports[name] = reports[name] + [report] if report else None
        return reports

    def run(self, command):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        shown = " ".join(command[1:]).replace(f"{HERE}/", "")
        print(f"  {shown}", file=sys.stderr)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no message"])[0 if "error:" in done.stderr else -1]
            print(f"  not available ({done.returncode}): {reason}", file=sys.stderr)
            return None
        report = json.loads(done.stdout)
        self.raw.append({"command": shown, "report": report})
        return report


def values(reports, read):
    """What `read` finds in each round's report; nothing where the side is not available."""
    return [read(report) for report in reports or []]


def median(reports, read):
    return statistics.median(values(reports, read)) if reports else None


def both_ways(report):
    return report["forward_ms"] + report["backward_ms"]


def row(work, theirs, ours, peaks=None, target=TARGET):
    """A row from the milliseconds of all rounds on both sides."""
    line = {"work": work, "peaks": peaks, "target": target, "ratio": None, "least_ratio": None}
    line["pytorch_ms"], line["ours_ms"] = (statistics.median(side) if side else None for side in (theirs, ours))
    if theirs and ours:
        line["ratio"], line["least_ratio"] = line["pytorch_ms"] / line["ours_ms"], min(theirs) / min(ours)
    return line


def peak(reports):
    return median(reports, lambda report: report["peak_mb"])


def blocks(bench):
    """The released block, and PyTorch's with other products, forward and backward."""
    rows = []
    for batch, tokens, dim, heads, *targets in BLOCKS:
        sizes = {"batch": batch, "tokens": tokens, "dim": dim, "heads": heads, "repeat": 5 if tokens < 1000 else 2}
        reports = bench.in_turn({
            "ours": bench.ours("block", **sizes),
            "as released": bench.theirs("block", **sizes),
            "re-associated": bench.theirs("block", **sizes, reassociated=True),
        })
        ours = reports["ours"]
        for kind, target in zip(["as released", "re-associated"], targets):
            theirs = reports[kind]
            peaks = (peak(theirs), median(theirs, lambda report: report["start_mb"]), peak(ours))
            name = f"block B{batch} N{tokens} C{dim} H{heads}, PyTorch {kind}"
            rows.append(row(name, values(theirs, both_ways), values(ours, both_ways), peaks, target))
    return rows


def long_blocks(bench):
    """Ours alone, where N x N matrices would not fit."""
    rows = []
    for tokens in LONG:
        sizes = {"batch": 1, "tokens": tokens, "dim": 64, "heads": 8, "repeat": 1, "path": "fast"}
        ours = bench.in_turn({"ours": bench.ours("block", **sizes)})["ours"]
        peaks = (None, None, peak(ours))
        rows.append(row(f"block B1 N{tokens} C64 H8, ours alone", [], values(ours, both_ways), peaks, None))
    return rows


def gemm(bench):
    reports = bench.in_turn({"ours": bench.ours("gemm", all=True), "theirs": bench.theirs("gemm", all=True)})
    rows = []
    for i, shape in enumerate(reports["ours"][0]["shapes"]):
        sizes = [shape[key] for key in ("batch", "m", "k", "n")]
        theirs, ours = (
            values(reports[side], lambda report: report["shapes"][i]["ms"]) for side in ("theirs", "ours")
        )
        rates = [2e-6 * math.prod(sizes) / statistics.median(side) for side in (theirs, ours)]
        name = "{} x ({} x {} x {})".format(*sizes)
        name = f"product {name}: {rates[0]:.0f} / {rates[1]:.0f} GFLOP/s"
        rows.append(row(name, theirs, ours, target=TARGET_PRODUCT))
    means = {
        key: math.exp(statistics.fmean(math.log(line[key]) for line in rows)) for key in ("ratio", "least_ratio")
    }
    return [*rows, {**row("products: geometric mean of the ratios", [], []), **means}]


def shape_key(line):
    return tuple(line[key] for key in ("in", "out", "kernel", "stride", "size", "groups", "batch", "count"))


def shape_name(line):
    groups = f" in {line['groups']} groups" if line["groups"] > 1 else ""
    name = f"{line['in']} to {line['out']}{groups}, {line['kernel']} x {line['kernel']}"
    return f"{name}, stride {line['stride']}, at {line['size']} (x {line['count']})"


def convolutions(bench, net, batch):
    """(rows of the table, rows of the list of shapes)."""
    options = {"net": net, "batch": batch, "size": 256, "repeat": 5}
    reports = bench.in_turn({"ours": bench.ours("conv", **options), "theirs": bench.theirs("conv", **options)})
    by_shape = {}
    for side in ("theirs", "ours"):
        lines = [{shape_key(line): line for line in report["shapes"]} for report in reports[side]]
        by_shape[side] = {key: values([line[key] for line in lines], both_ways) for key in lines[0]}
    assert by_shape["theirs"].keys() == by_shape["ours"].keys(), "the two sides measure different convolutions"
    shapes = [
        row(shape_name(line), by_shape["theirs"][shape_key(line)], by_shape["ours"][shape_key(line)])
        for line in reports["ours"][0]["shapes"]
    ]
    worst = min(shapes, key=lambda line: line["ratio"])
    title = f"convolutions of {net}, 256 px, batch {batch}"
    total = row(f"{title}: all", values(reports["theirs"], both_ways), values(reports["ours"], both_ways))
    return [total, {**worst, "work": f"{title}: worst, {worst['work']}", "target": TARGET_WORST}], (title, shapes)


def trunk(bench):
    options = {"batch": 2, "size": 256, "repeat": 3}
    reports = bench.in_turn({"ours": bench.ours("trunk", **options), "theirs": bench.theirs("trunk", **options)})
    theirs, ours = (values(reports[side], both_ways) for side in ("theirs", "ours"))
    return [row("ResNet-50 trunk in training mode, 256 px, batch 2", theirs, ours)]


def detectors(bench):
    rows = []
    for name, batch, size in NETWORKS:
        options = {"config": name, "batch": batch, "size": size, "repeat": 3}
        # What PyTorch's side does: AdamW, and every activation kept.
        same = ["train.optimizer=adamw", "train.weight_decay=0.05", "train.checkpointing=false"]
        ours = bench.ours("sod", **options) + [part for setting in same for part in ("--set", setting)]
        theirs = bench.theirs("sod", **options)
        reports = bench.in_turn({"ours": ours, "theirs": theirs})
        if reports["ours"] and reports["theirs"]:
            counts = [reports[side][0]["parameters"] for side in ("ours", "theirs")]
            assert counts[0] == counts[1], f"{name}: {counts} parameters"
        theirs, ours = (reports[side] for side in ("theirs", "ours"))
        peaks = (peak(theirs), median(theirs, lambda report: report["start_mb"]), peak(ours))
        step = [values(side, lambda report: report["step_ms"]) for side in (theirs, ours)]
        rows.append(row(f"training step of {name}, {size} px, batch {batch}", *step, peaks))
    return rows


def number(value):
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def table(rows):
    lines = [
        "| work | PyTorch ms | ours ms | PyTorch/ours | of the fastest rounds | target | peak MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for line in rows:
        ratios = ["–" if line[key] is None else f"{line[key]:.2f}" for key in ("ratio", "least_ratio", "target")]
        cells = [number(line["pytorch_ms"]), number(line["ours_ms"]), *ratios, peaks(line["peaks"])]
        lines.append(f"| {line['work']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def peaks(memory):
    """PyTorch's with what it takes before any work, and ours."""
    if memory is None:
        return ""
    theirs, start, ours = memory
    return f"ours {number(ours)}" if theirs is None else f"{number(theirs)} ({number(start)} at start) / {number(ours)}"


def machine(args):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        info = dict(line.split(":", 1) for line in file.read().split("\n\n")[0].splitlines())
    info = {key.strip(): value.strip() for key, value in info.items()}
    wanted = ["avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile"]
    flags = [flag for flag in wanted if flag in info.get("flags", "").split()]
    with open("/proc/meminfo", encoding="utf-8") as file:
        gib = int(file.readline().split()[1]) / 2**20
    asked = "import torch, torchvision; print(torch.__version__, torchvision.__version__)"
    torch, vision = subprocess.check_output([sys.executable, "-c", asked], text=True).split()
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    ).stdout.strip()
    parts = [
        f"{info.get('model name', platform.machine())}, {os.cpu_count()} cores ({', '.join(flags)}), {gib:.0f} GiB",
        f"{args.threads} threads on both sides, float32, medians of {args.rounds} rounds in turn",
        f"PyTorch {torch}, torchvision {vision}, ours at commit {commit or 'unknown'}",
        f"{datetime.date.today():%-d %B %Y}, load before {os.getloadavg()[0]:.1f}",
    ]
    return "; ".join(parts) + "."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = ["block", "long", "gemm", "conv", "depthwise", "trunk", "sod"]
    parser.add_argument("--only", default=",".join(kinds), help=f"some of {','.join(kinds)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--binary", type=Path, default=ROOT / "target" / "release" / "mutualformer")
    parser.add_argument("--json", type=Path, help="file for every single report")
    parser.add_argument("--shapes", action="store_true", help="also print every convolution's row")
    args = parser.parse_args()
    chosen = args.only.split(",")
    if unknown := set(chosen) - set(kinds):
        parser.error(f"--only knows {', '.join(kinds)}, not {', '.join(sorted(unknown))}")
    if not args.binary.exists():
        parser.error(f"{args.binary} is missing: cargo build --release")

    description, bench, rows, lists = machine(args), Bench(args), [], []
    simple = {"block": blocks, "long": long_blocks, "gemm": gemm, "trunk": trunk, "sod": detectors}
    lists_of = {"conv": [("resnet50", 2), ("resnet50", 8)], "depthwise": [("mobilenetv2", 2)]}
    for kind in kinds:
        if kind not in chosen:
            continue
        if kind in simple:
            rows += simple[kind](bench)
        for net, batch in lists_of.get(kind, []):
            found, shapes = convolutions(bench, net, batch)
            rows += found
            lists.append(shapes)
        if args.json:  # after every kind: an interruption loses little
            args.json.write_text(json.dumps({"machine": description, "rows": rows, "reports": bench.raw}, indent=1))
    print(description, table(rows), sep="\n\n")
    if args.shapes:
        for title, shapes in lists:
            print(f"\n{title}, forward and backward:\n\n{table(shapes)}")


if __name__ == "__main__":
    main()
