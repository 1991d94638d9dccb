"""Makes a data folder as this version of EagleEye writes it, for the test that newer versions open it.

    python3 make.py BINARY NAME

BINARY is `eagleeye` with `eagleeye-worker` beside it. Writes NAME.tar.gz, the data folder, and NAME.json, what the API
said about it. Python's standard library and curl are all it needs.
"""

import json
import pathlib
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request

here = pathlib.Path(__file__).parent
binary, name = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
base = f"http://127.0.0.1:{port}/api/v1"


def serve(data, *more):
    server = subprocess.Popen([binary, "serve", "--data", data, "--port", str(port), *more], stderr=subprocess.DEVNULL)
    for _ in range(300):
        try:
            call("/searches")
            return server
        except OSError:
            time.sleep(0.1)
    sys.exit("the server does not start")


def call(path, body=None, method=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def upload(path, **fields):
    command = ["curl", "--silent", "--show-error", "--fail-with-body", base + path]
    for field, value in fields.items():
        command += ["--form", f"{field}={value}"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def search(model, name, **more):
    body = {"name": name, "model_id": model["id"], "dataset_id": dataset["id"], "macs": 0.5, "candidates": 6, "seed": 7}
    body |= {"calibration_images": 200, "scoring_images": 300, "batch_size": 50}
    body["preprocessing"] = {"mean": [0.286], "deviation": [0.353]}
    return call("/searches", body | more)["id"]


def wait(what, ready):
    for _ in range(1200):
        value = ready()
        if value:
            return value
        time.sleep(0.1)
    sys.exit(f"waited in vain: {what}")


def state(id):
    return call(f"/searches/{id}")["state"]


def candidates(id):
    return call(f"/searches/{id}/candidates?limit=100")["items"]


with tempfile.TemporaryDirectory() as folder:
    data = pathlib.Path(folder) / "data"
    server = serve(data)
    dataset = upload("/datasets", images=f"@{here / 'images.gz'}", labels=f"@{here / 'labels.gz'}")
    onnx = upload("/models", file=f"@{here / 'small.onnx'}")
    torchscript = upload("/models", file=f"@{here / 'small.pt'}", input_shape="1,1,28,28")
    finished = search(onnx, "finished")
    momentum = {"mode": "momentum", "momentum": 0.2, "batches": 7}
    settings = search(torchscript, "settings", macs=0.4, round_to=2, min_keep_ratio=0.2, adaptation=momentum)
    failed = search(onnx, "failed", preprocessing={"mean": [1e6], "deviation": [1e-3]})
    for id, wanted in [(finished, "succeeded"), (settings, "succeeded"), (failed, "failed")]:
        wait(wanted, lambda: state(id) not in ("queued", "running"))
        assert state(id) == wanted, call(f"/searches/{id}")
    cancelled = search(onnx, "cancelled", candidates=10000)
    wait("a candidate", lambda: candidates(cancelled))
    call(f"/searches/{cancelled}/cancel", {}, "POST")
    wait("cancelled", lambda: state(cancelled) == "cancelled")
    winner = call(f"/searches/{finished}")["best_candidate_id"]
    exports = lambda: call(f"/candidates/{winner}/checkpoints")["items"]
    wait("exports", lambda: exports() and all(export["state"] == "ready" for export in exports()))
    tuning = call(f"/candidates/{winner}/tunings", {"epochs": 1, "batch_size": 50})["id"]
    wait("the tuning", lambda: call(f"/tunings/{tuning}")["state"] == "succeeded")
    tuned = lambda: call(f"/tunings/{tuning}/checkpoints")["items"]
    wait("the tuning's exports", lambda: tuned() and all(export["state"] == "ready" for export in tuned()))
    race = call(f"/searches/{finished}/tuning-races", {"candidates": 2, "epochs": 3, "options": {"batch_size": 50}})["id"]
    wait("the race", lambda: call(f"/tuning-races/{race}")["state"] == "succeeded")
    stage = {"model_id": torchscript["id"], "dataset_id": dataset["id"], "candidates": 2, "batch_size": 50}
    stage |= {"calibration_images": 200, "scoring_images": 300, "preprocessing": {"mean": [0.286], "deviation": [0.353]}}
    pipeline = call("/pipelines", {"search": stage, "macs": [0.7, 0.5]})["id"]
    wait("the pipeline", lambda: call(f"/pipelines/{pipeline}")["state"] == "succeeded")
    request = {"candidates": 2, "seeds": [1], "options": {"epochs": 1, "batch_size": 50}}
    study = call(f"/searches/{finished}/studies", request)["id"]
    wait("the study", lambda: call(f"/studies/{study}")["state"] == "succeeded")
    # Killed in the middle of a search, with another one behind it.
    interrupted = search(torchscript, "interrupted", candidates=40, seed=3)
    queued = search(onnx, "queued", seed=11)
    wait("candidates", lambda: len(candidates(interrupted)) >= 3)
    told = {path: call(path) for path in ["/models", "/datasets", f"/candidates/{winner}/checkpoints"]}
    told |= {path: call(path) for path in [f"/tunings/{tuning}{of}" for of in ["", "/epochs", "/checkpoints"]]}
    told |= {path: call(path) for path in [f"/searches/{finished}/tuning-races", f"/pipelines/{pipeline}", f"/studies/{study}"]}
    for model in [onnx, torchscript]:
        told[f"/models/{model['id']}"] = call(f"/models/{model['id']}")
    for id in [finished, settings, failed, cancelled]:
        told[f"/searches/{id}"] = call(f"/searches/{id}")
        told[f"/searches/{id}/candidates?limit=100"] = call(f"/searches/{id}/candidates?limit=100")
    server.send_signal(signal.SIGKILL)
    server.wait()
    time.sleep(3)
    told["interrupted"], told["queued"] = interrupted, queued
    (here / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n")

    with tarfile.open(here / f"{name}.tar.gz", "w:gz") as archive:
        archive.add(data, "data")
