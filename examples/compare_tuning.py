"""Times one epoch of fine-tuning a MobileNetV1 at half of its multiply-adds, by the engine and by the same loop in plain PyTorch.

usage: compare_tuning.py WORKER IMAGES LABELS [THREADS [ROUNDS]]
as in: compare_tuning.py target/release/eagleeye-worker examples/fashion-mnist-images-idx3-ubyte.gz \\
           examples/fashion-mnist-labels-idx1-ubyte.gz

IMAGES and LABELS are Fashion-MNIST's training images, or part of them. Both train a network of the same sizes on as many images
in batches of 128 with SGD, momentum and random flips, with the same number of threads (2 if omitted); the engine's epoch is
without its validation, which PyTorch's loop does not have. They take turns, and of several rounds (3) each has its fastest. PyTorch is timed with
its default memory format and with channels last. Beside the time that passed stands that of the processors, which tells more on a
machine that others use: of the engine, what a second epoch adds, its validation included. Needs PyTorch and numpy.
"""
import gzip, json, os, pathlib, resource, subprocess, sys, tempfile, time

if len(sys.argv) < 4:
    sys.exit(__doc__)
WORKER, IMAGES, LABELS = sys.argv[1:4]
THREADS = int(sys.argv[4]) if len(sys.argv) > 4 else 2
ROUNDS = int(sys.argv[5]) if len(sys.argv) > 5 else 3
BATCH = 128
# Before libtorch is loaded: threads that spin would take the cores from the other program's.
os.environ["OMP_WAIT_POLICY"], os.environ["OMP_NUM_THREADS"] = "PASSIVE", str(THREADS)
import numpy as np, torch
from torch import nn

STRIDES = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 1, 1]


def network(widths):
    def block(i, o, kernel, stride, groups):
        return nn.Sequential(nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))
    layers = [block(1, widths[0], 3, 1, 1)]
    for i, o, stride in zip(widths, widths[1:], STRIDES):
        layers += [block(i, i, 3, stride, i), block(i, o, 1, 1, 1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10))


def idx(path, header):
    return np.frombuffer(gzip.open(path).read(), np.uint8, offset=header)


def worked(of):
    """Seconds of processors."""
    return of.user + of.system if hasattr(of, "user") else of.ru_utime + of.ru_stime


def engine(folder, epochs):
    """Seconds of the first epoch's steps, those of processors for everything, images that were trained on, and the network's widths."""
    before = worked(resource.getrusage(resource.RUSAGE_CHILDREN))
    model = pathlib.Path(__file__).parent / "mobilenet_v1.pt"
    out = subprocess.run([WORKER, "tune", model, "--input-shape", "1,1,28,28", "--images", IMAGES, "--labels", LABELS, "--mean", "0.2860",
                          "--deviation", "0.3530", "--macs", "0.5", "--strategy", "uniform", "--calibration", "1024", "--scoring", "500", "--seed", "7",
                          "--epochs", str(epochs), "--device", "cpu", "--threads", str(THREADS), "--out", folder + "/tuned.pt", "--json"],
                         check=True, stdout=subprocess.PIPE)
    report = json.loads(out.stdout)
    images = report["epochs"][0]["steps"] * BATCH
    spent = worked(resource.getrusage(resource.RUSAGE_CHILDREN)) - before
    return images / report["epochs"][0]["images_per_second"], spent, images, [group["kept"] for group in report["groups"]]


def pytorch(widths, images, channels_last):
    torch.manual_seed(0)
    x = torch.from_numpy(((idx(IMAGES, 16).reshape(-1, 1, 28, 28).astype("f4") / 255 - 0.2860) / 0.3530))
    y = torch.from_numpy(idx(LABELS, 8).astype("i8"))
    model = network(widths)
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, nesterov=True, weight_decay=1e-4)
    order = torch.randperm(len(x))[:images]
    model.train()
    started, before = time.monotonic(), worked(os.times())
    for part in order.split(BATCH):
        batch = x[part]
        flip = torch.rand(len(part)) < 0.5
        batch = torch.where(flip.view(-1, 1, 1, 1), batch.flip(3), batch)
        if channels_last:
            batch = batch.contiguous(memory_format=torch.channels_last)
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(batch), y[part]).backward()
        optimizer.step()
    return time.monotonic() - started, worked(os.times()) - before


def main():
    torch.set_num_threads(THREADS)
    times = {"engine": [], "PyTorch": [], "PyTorch, channels last": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            seconds, one, images, widths = engine(folder, 1)
            times["engine"].append((seconds, engine(folder, 2)[1] - one))
            times["PyTorch"].append(pytorch(widths, images, False))
            times["PyTorch, channels last"].append(pytorch(widths, images, True))
    print(f"{images:,} images, widths {widths}, {THREADS} threads, the fastest of {ROUNDS} rounds")
    fastest = {name: [min(column) for column in zip(*rounds)] for name, rounds in times.items()}
    print(f"{'':24} seconds  images/s  engine's part   processor s  engine's part")
    for name, (seconds, spent) in fastest.items():
        own, own_spent = fastest["engine"]
        print(f"{name:24} {seconds:7.1f} {images / seconds:9.0f} {own / seconds:14.2f} {spent:13.1f} {own_spent / spent:14.2f}")


main()
