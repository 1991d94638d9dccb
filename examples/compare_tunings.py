"""Fine-tunes the fixtures' networks in several ways and says what each is worth: a table of top-1 on the 10,000 test images.

usage: compare_tunings.py WORKER FIXTURES RESULTS [--device DEVICE] [--processes NUMBER] [--only NAME,...]
as in: compare_tunings.py target/release/eagleeye-worker ../shared/fixtures tunings.jsonl --device cuda:0 --processes 6

    start       MobileNetV1 at 50% and 25%, from the adapted and from the repaired candidate, after 1, 3 and 10 epochs
    distill     the same from the adapted candidate for 3 epochs, with distillation from the full network at several temperatures and weights
    precision   the same in float32, where the others are in bfloat16 on a GPU
    resnet      ResNet-20 at 50%, 5 epochs, from both

All of it on the 55,000 training images that are not scored, with the seeds 7 and 8; the strategy is `uniform`. RESULTS gets one JSON
object a line as each is done, and the same command goes on after an interruption. Hours on two cores, minutes on a GPU.
"""
import argparse, concurrent.futures, json, pathlib, subprocess, sys, tempfile, time

SEEDS = 7, 8
# Temperature and part of the loss.
DISTILLATIONS = (1, 0.5), (2, 0.5), (2, 0.25), (4, 0.25), (2, 0.1), (4, 0.1)
FASHION = "--mean 0.2860 --deviation 0.3530 --input-shape 1,1,28,28 --strategy uniform --calibration 1024 --scoring 5000".split()


def setting(study, network, macs, start, epochs, seed, *, distill=None, mixed=True):
    return dict(study=study, network=network, macs=macs, start=start, epochs=epochs, seed=seed, distill=distill, mixed=mixed)


def settings():
    for seed in SEEDS:
        for macs in 0.5, 0.25:
            for start in "adapted", "repaired":
                for epochs in 1, 3, 10:
                    yield setting("start", "mobilenet_v1", macs, start, epochs, seed)
            for distill in DISTILLATIONS:
                yield setting("distill", "mobilenet_v1", macs, "adapted", 3, seed, distill=list(distill))
            yield setting("precision", "mobilenet_v1", macs, "adapted", 3, seed, mixed=False)
        for start in "adapted", "repaired":
            yield setting("resnet", "resnet20", 0.5, start, 5, seed)


def tune(arguments, wanted):
    images = arguments.fixtures / "fashion-mnist"
    with tempfile.TemporaryDirectory() as folder:
        options = pathlib.Path(folder) / "options.json"
        distillation = wanted["distill"] and dict(zip(("temperature", "weight"), wanted["distill"]))
        options.write_text(json.dumps({"mixed_precision": wanted["mixed"], "distillation": distillation}))
        command = [
            arguments.worker, "tune", arguments.fixtures / f"models/{wanted['network']}.traced.pt", *FASHION,
            "--images", images / "train-images-idx3-ubyte.gz", "--labels", images / "train-labels-idx1-ubyte.gz",
            "--test-images", images / "test-images-idx3-ubyte.gz", "--test-labels", images / "test-labels-idx1-ubyte.gz",
            "--macs", str(wanted["macs"]), "--from", wanted["start"], "--epochs", str(wanted["epochs"]), "--seed", str(wanted["seed"]),
            "--options", options, "--no-latency",
            "--device", arguments.device, "--out", f"{folder}/tuned.pt", "--json",
        ]
        started = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{wanted}: {done.stderr}")
        return {**wanted, "seconds": round(time.monotonic() - started, 1), "device": arguments.device, "report": json.loads(done.stdout)}


def top1(result, of):
    return (result["report"].get(of) or {}).get("top1")


def table(results):
    print("| network | MACs | start | epochs | | seed | before | validation | test |\n|---|---|---|---|---|---|---|---|---|")
    order = lambda r: (r["network"], -r["macs"], r["start"], r["epochs"], r["distill"] or [], not r["mixed"], r["seed"])
    for r in sorted(results, key=order):
        how = "distillation, temperature {}, weight {}".format(*r["distill"]) if r["distill"] else "" if r["mixed"] else "float32"
        before = top1(r, "repaired" if r["start"] == "repaired" else "adaptive_bn")
        print(f"| {r['network']} | {r['macs']:.0%} | {r['start']} | {r['epochs']} | {how} | {r['seed']} "
              f"| {before:.4f} | {top1(r, 'tuned'):.4f} | {top1(r, 'test'):.4f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("worker", type=pathlib.Path)
    parser.add_argument("fixtures", type=pathlib.Path)
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--only", default="start,distill,precision,resnet")
    arguments = parser.parse_args()
    results = [json.loads(line) for line in arguments.results.read_text().splitlines()] if arguments.results.exists() else []
    done = {json.dumps({key: r[key] for key in r if key not in ("seconds", "device", "report")}) for r in results}
    missing = [s for s in settings() if s["study"] in arguments.only.split(",") and json.dumps(s) not in done]
    with concurrent.futures.ThreadPoolExecutor(arguments.processes) as pool:
        for future in concurrent.futures.as_completed([pool.submit(tune, arguments, s) for s in missing]):
            result = future.result()
            results.append(result)
            with arguments.results.open("a") as file:
                file.write(json.dumps(result) + "\n")
            print(f"{len(results)} done: {result['network']} {result['macs']} {result['start']} {result['epochs']} epochs, "
                  f"test {top1(result, 'test'):.4f}, {result['seconds']} s", file=sys.stderr, flush=True)
    table(results)


if __name__ == "__main__":
    main()
