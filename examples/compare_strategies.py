#!/usr/bin/env python3
"""Compares the strategies on networks of your own, each with the same number of evaluations, and prints a table in Markdown.

    python3 examples/compare_strategies.py --worker target/release/eagleeye-worker --out study \\
        --images train-images-idx3-ubyte.gz --labels train-labels-idx1-ubyte.gz --mean 0.2860 --deviation 0.3530 \\
        --input-shape 1,1,28,28 mobilenet_v1.traced.pt resnet20.traced.pt

Every search is a file in the folder `--out`; those that are there already are not done again, so that a comparison that was
interrupted goes on. The winner of each strategy is the best by adaptive batch norm on the scoring images, and its accuracy in the
table is that on the test images, which no search has seen. `--racing` also runs one strategy with and without racing; with it,
`--strategies` without a name leaves the comparison of strategies out. `--tune EPOCHS` fine-tunes the winner of each strategy from each of
`--tune-seeds` on all images that are neither scored nor test images, and prints what it comes to on the test images.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
from pathlib import Path

STRATEGIES = ["random", "near_uniform", "sensitivity", "evolutionary", "global_magnitude"]


def main():
    args = arguments()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    searches = [(m, b, s) for s in args.seeds for m in args.models for b in args.budgets]
    if args.strategies:
        for model, budget, seed in searches:
            search(args, out, model, budget, seed, ",".join(args.strategies), "all", [])
        print(table(args, out, searches))
        if args.tune:
            print()
            print(tuned_table(args, out, searches))
    if args.racing:
        for model, budget, seed in searches:
            search(args, out, model, budget, seed, args.racing, "raced", [])
            search(args, out, model, budget, seed, args.racing, "full", ["--no-racing"])
        print()
        print(racing_table(args, out, searches))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--worker", default="target/release/eagleeye-worker")
    parser.add_argument("--out", default="study")
    for name in ("images", "labels", "mean", "deviation", "input-shape"):
        parser.add_argument(f"--{name}", required=name not in ("labels", "input-shape"))
    parser.add_argument("--budgets", nargs="+", type=float, default=[0.5, 0.25])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--strategies", nargs="*", default=STRATEGIES)
    parser.add_argument("--candidates", type=int, default=48)
    parser.add_argument("--calibration", type=int, default=1600)
    parser.add_argument("--scoring", type=int, default=2500)
    parser.add_argument("--test", type=int, default=5000)
    parser.add_argument("--racing", metavar="STRATEGY", help="also compare racing with full evaluation, for this strategy")
    parser.add_argument("--tune", type=int, metavar="EPOCHS", help="also fine-tune the winner of each strategy")
    parser.add_argument("--tune-seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--only-table", action="store_true", help="of the searches that are there")
    return parser.parse_args()


def place(out, model, budget, seed, kind):
    return out / f"{Path(model).stem}.{budget}.{seed}.{kind}.json"


def search(args, out, model, budget, seed, strategies, kind, more):
    report = place(out, model, budget, seed, kind)
    if report.exists() or args.only_table:
        return
    run(report, [
        args.worker, "search", model, *data(args), "--macs", str(budget), "--strategy", strategies,
        "--candidates", str(args.candidates), "--seed", str(seed), "--out", str(report.with_suffix(".onnx")), "--json", *more,
    ])


def data(args):
    """Which images are used for what, the same in each command."""
    found = ["--images", args.images, "--mean", args.mean, "--deviation", args.deviation]
    found += ["--calibration", str(args.calibration), "--scoring", str(args.scoring), "--test", str(args.test)]
    found += ["--labels", args.labels] if args.labels else []
    return found + (["--input-shape", args.input_shape] if args.input_shape else [])


def run(report, command):
    """Writes what a command prints, once it has succeeded."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr.strip() or f"{command[0]} failed")
    unfinished = report.with_suffix(".part")
    unfinished.write_text(done.stdout)
    os.replace(unfinished, report)


def reports(out, searches, kind):
    for model, budget, seed in searches:
        report = place(out, model, budget, seed, kind)
        if report.exists():
            yield model, budget, seed, json.loads(report.read_text())


def table(args, out, searches):
    names = ["uniform", *args.strategies]
    lines = ["| network, MACs, seed | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for model, budget, seed, report in reports(out, searches, "all"):
        best = {s["strategy"]: s["best"] for s in report["sections"][0]["strategies"]}
        cells = [cell(best.get(name)) for name in names]
        lines.append(f"| {Path(model).stem}, {budget:g}, {seed} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def tuned_table(args, out, searches):
    names = ["uniform", *args.strategies]
    lines = [f"| fine-tuned for {args.tune} epochs | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for model, budget, seed, report in reports(out, searches, "all"):
        best = {s["strategy"]: s["best"] for s in report["sections"][0]["strategies"]}
        cells = []
        for name in names:
            if name in best:
                accuracies = [tune(args, out, model, budget, seed, name, best[name], own) for own in args.tune_seeds]
                cells.append(", ".join("" if each is None else f"{100 * each:.2f}" for each in accuracies))
            else:
                cells.append("")
        lines.append(f"| {Path(model).stem}, {budget:g}, {seed} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def tune(args, out, model, budget, seed, strategy, best, tune_seed):
    """The top-1 on the test images after fine-tuning; one that is there already is not done again."""
    report = place(out, model, budget, seed, f"{strategy}.tuned-{args.tune}-{tune_seed}")
    if not report.exists() and not args.only_table:
        request = report.with_suffix(".request")
        kept = {group["group"]: group["kept"] for group in best["groups"]}
        # The search's own seed, which divides the images, belongs to the request: `--seed` would be the fine-tuning's, too.
        request.write_text(json.dumps({"seed": seed, "strategies": ["manual"], "manual": [{"groups": kept}]}))
        options = report.with_suffix(".options")
        options.write_text(json.dumps({"epochs": args.tune, "seed": tune_seed}))
        run(report, [
            args.worker, "tune", model, *data(args), "--request", str(request),
            "--options", str(options), "--out", str(report.with_suffix(".onnx")), "--json",
        ])
    return json.loads(report.read_text())["test"]["top1"] if report.exists() else None


def cell(best):
    if best is None:
        return ""
    against = best["against_uniform_on_test"]
    standing = {"better": " +", "below": " -"}.get(against["standing"], "") if against else ""
    return f"{100 * best['test']['score']['top1']:.1f}{standing}"


def racing_table(args, out, searches):
    lines = ["| network, MACs, seed | image passes of racing | winner by racing | by full evaluation | interval of the latter |"]
    lines.append("|---|---|---|---|---|")
    differences = {}
    raced = {(m, b, s): report for m, b, s, report in reports(out, searches, "raced")}
    for model, budget, seed, full in reports(out, searches, "full"):
        race = raced.get((model, budget, seed))
        if race is None:
            continue
        share = race["passes"]["spent"] / full["passes"]["spent"]
        ours, theirs = (r["sections"][0]["winner"]["test"] for r in (race, full))
        low, high = (100 * theirs["intervals"]["top1"][end] for end in ("low", "high"))
        figures = f"{100 * ours['score']['top1']:.1f} | {100 * theirs['score']['top1']:.1f} | {low:.1f} to {high:.1f}"
        lines.append(f"| {Path(model).stem}, {budget:g}, {seed} | {share:.2f} | {figures} |")
        differences.setdefault((model, budget), []).append(100 * (ours["score"]["top1"] - theirs["score"]["top1"]))
    for (model, budget), points in differences.items():
        if len(points) > 1:
            error = statistics.stdev(points) / math.sqrt(len(points))
            lines.append(
                f"\n{Path(model).stem}, {budget:g}: over {len(points)} seeds racing's winner is "
                f"{statistics.mean(points):+.2f} points (standard error {error:.2f}) from that of full evaluation."
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
