"""Runs the example's search on several devices and compares the leaderboards.

usage: compare_devices.py SERVER DEVICE DEVICE...      as in: compare_devices.py target/release/eagleeye cpu cuda:0

Each device gets a server of its own with one worker and an empty data folder. Prints for each the seconds of the whole search
and of one candidate, and how far the scores of its candidates are from those on the first device. Ends with 1 where one is
farther than 0.002, which is 10 of 5,000 images: devices add in different orders.
"""
import json, pathlib, socket, subprocess, sys, tempfile, time, urllib.error, urllib.request

if len(sys.argv) < 3:
    sys.exit(__doc__)
EXAMPLES = pathlib.Path(__file__).parent
FARTHEST = 0.002


def ask(url, body=None, kind="application/json"):
    request = urllib.request.Request(url, body, {"Content-Type": kind} if body else {})
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"{url}: {error.read().decode()}")


def upload(url, files, **fields):
    """A multipart form of files and texts."""
    parts = [(f'name="{name}"', text.encode()) for name, text in fields.items()]
    parts += [(f'name="{name}"; filename="{file}"', (EXAMPLES / file).read_bytes()) for name, file in files.items()]
    border = "between-the-parts"
    body = b"".join(f"--{border}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"
                    for head, content in parts)
    return ask(url, body + f"--{border}--\r\n".encode(), f"multipart/form-data; boundary={border}")


def port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def listens(number):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", number)) == 0


def search(api):
    """The search's leaderboard in the order of the candidates, and the seconds that it took."""
    model = upload(f"{api}/models", {"file": "mobilenet_v1.pt"}, input_shape="1,1,28,28")["id"]
    images, labels = (f"fashion-mnist-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1"))
    dataset = upload(f"{api}/datasets", {"images": images, "labels": labels})["id"]
    request = {
        "model_id": model, "dataset_id": dataset, "macs": 0.5, "candidates": 24, "seed": 7,
        "calibration_images": 3200, "scoring_images": 5000,
        "preprocessing": {"mean": [0.2860], "deviation": [0.3530], "scale": 1 / 255},
    }
    started = time.monotonic()
    found = ask(f"{api}/searches", json.dumps(request).encode())
    while found["state"] not in ("succeeded", "failed", "cancelled"):
        time.sleep(0.1)
        found = ask(f"{api}/searches/{found['id']}")
    seconds = time.monotonic() - started
    if found["state"] != "succeeded":
        sys.exit(f"the search ended as {found['state']}: {found['error']}")
    candidates = ask(f"{api}/searches/{found['id']}/candidates?limit=100")["items"]
    return found, sorted(candidates, key=lambda c: c["index"]), seconds


def run(server, device):
    with tempfile.TemporaryDirectory() as data:
        number = port()
        arguments = [server, "serve", "--data", data, "--port", str(number), "--device", device]
        process = subprocess.Popen(arguments, stdout=sys.stderr)
        api = f"http://127.0.0.1:{number}/api/v1"
        try:
            for _ in range(100):
                if listens(number):
                    break
                time.sleep(0.1)
            return search(api)
        finally:
            process.terminate()
            process.wait()


def main():
    server, devices, first, close = sys.argv[1], sys.argv[2:], None, True
    for device in devices:
        found, candidates, seconds = run(server, device)
        first = first or candidates
        top1 = [c["score"]["top1"] for c in candidates]
        distances = [abs(a - b["score"]["top1"]) for a, b in zip(top1, first, strict=True)]
        # Not-a-number is not within any distance; max() could pass over it.
        close = close and all(distance <= FARTHEST for distance in distances)
        took = sorted(c["seconds"] for c in candidates)[len(candidates) // 2]
        print(f"{device:<8} {seconds:7.1f} s, {took:.3f} s a candidate, full network {found['baseline']['score']['top1']:.4f}, "
              f"best {max(top1):.4f}, at most {max(distances):.4f} from {devices[0]}", flush=True)
    sys.exit(not close)


main()
