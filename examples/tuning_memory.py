"""How much memory fine-tuning a ResNet-50 at 224x224 takes, and whether it grows from step to step.

usage: tuning_memory.py WORKER [BATCH [STEPS]]      8 images per step and 40 steps if omitted

The network is torchvision's with random weights, the images are noise. Prints the largest resident memory of the whole command, and
of the steps of each quarter; ends with 1 above 6 GB, or where the last quarter has 5% more than the second. Needs torchvision.
"""
import pathlib, subprocess, sys, tempfile, time

if len(sys.argv) < 2:
    sys.exit(__doc__)
WORKER, BATCH, STEPS = sys.argv[1], int((sys.argv[2:] or [8])[0]), int((sys.argv[3:] or [40])[0])
HELD_BACK = 16
import numpy as np, torch, torchvision


def write(folder):
    torch.manual_seed(0)
    with torch.no_grad():
        torch.jit.trace(torchvision.models.resnet50(weights=None, num_classes=10).eval(), torch.zeros(1, 3, 224, 224)).save(folder + "/model.pt")
    count = BATCH * 8 + HELD_BACK
    pixels = np.random.default_rng(0).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)
    np.savez(folder + "/images.npz", images=pixels, labels=np.arange(count) % 10)


def resident(pid):
    """Bytes, or nothing when the process has ended."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(found[0].split()[1]) * 1024 if found else None


with tempfile.TemporaryDirectory() as folder:
    write(folder)
    command = [WORKER, "tune", folder + "/model.pt", "--images", folder + "/images.npz", "--mean", "0.5,0.5,0.5", "--deviation", "0.5,0.5,0.5",
               "--macs", "0.5", "--strategy", "uniform", "--calibration", "8", "--scoring", str(HELD_BACK), "--batch-size", "8", "--seed", "7",
               "--tune-batch", str(BATCH), "--epochs", str(max(1, STEPS // 8)), "--device", "cpu", "--snapshot", folder + "/snapshot",
               "--snapshot-seconds", "1e9", "--out", folder + "/out.pt", "--json"]
    log = open(folder + "/log", "w")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
    samples = []
    while process.poll() is None:
        samples.append((pathlib.Path(folder + "/snapshot").exists(), resident(process.pid) or 0))
        time.sleep(0.05)
    if process.returncode:
        sys.exit(open(folder + "/log").read())

# The first epoch's snapshot says that steps are under way; the export at the end is no step.
largest = max(size for _, size in samples)
steps = [size for begun, size in samples if begun]
quarters = [max(part) / 1e9 for part in np.array_split(steps[: int(len(steps) * 0.9)], 4)]
print(f"largest {largest / 1e9:.2f} GB; quarters of the steps after the first epoch: {', '.join(f'{q:.2f}' for q in quarters)} GB")
sys.exit(int(largest > 6e9 or quarters[3] > 1.05 * quarters[1]))
