"""Compares one training step of the engine with PyTorch's: the loss, all gradients, and the running statistics after it.

usage: gradients.py WORKER DIR NAME...     networks by torchvision's names, with random weights, traced into DIR
Both compute in float64: in float32 a batch norm over the few pixels of a small image makes much of rounding, and PyTorch differs as
much from itself. Dropout and stochastic depth draw at random and are left out on both sides; batch norms are in training mode, with
a momentum of 0.1. Differences are norms over a tensor, relative to the norm of PyTorch's tensor, or to a thousandth of that of all
gradients where that is larger: in front of a batch norm, the gradient of a bias is rounding. Ends with 1 where one is above 1e-4.
"""
import json, os, struct, subprocess, sys
import numpy as np, torch
from export import build, side

TOLERANCE = 1e-4
TYPES = {"F64": np.float64, "I64": np.int64}


def write(path, tensors):
    """As safetensors, without a package for it."""
    header, offset, data = {}, 0, []
    for name, tensor in tensors.items():
        data.append(np.ascontiguousarray(tensor.numpy()).tobytes())
        kind = {torch.float64: "F64", torch.int64: "I64"}[tensor.dtype]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [offset, offset + len(data[-1])]}
        offset += len(data[-1])
    header = json.dumps(header).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + b"".join(data))


def read(path):
    with open(path, "rb") as file:
        content = file.read()
    length = struct.unpack("<Q", content[:8])[0]
    header, data = json.loads(content[8:8 + length]), content[8 + length:]
    header.pop("__metadata__", None)
    return {name: torch.from_numpy(np.frombuffer(data[slice(*entry["data_offsets"])], TYPES[entry["dtype"]]).reshape(entry["shape"]).copy())
            for name, entry in header.items()}


def pytorch(model, x, labels):
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.train()
            module.momentum = 0.1
    loss = torch.nn.functional.cross_entropy(model(x), labels)
    loss.backward()
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    found |= {name: b for name, b in model.named_buffers() if name.endswith(("running_mean", "running_var"))}
    return loss.detach(), found


def compare(worker, folder, name):
    model, size = build(name), side(name)
    x = torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([3, 141, 592, 653])
    file, batch, out = (os.path.join(folder, f"gradients.{end}") for end in ("pt", "batch", "out"))
    with torch.no_grad():
        torch.jit.trace(model, x[:1]).save(file)
    model, x = model.double(), x.double()
    write(batch, {"x": x, "labels": labels})
    subprocess.run([worker, "gradients", file, "--input-shape", f"1,3,{size},{size}", "--batch", batch, "--out", out], check=True)
    ours = read(out)
    loss, theirs = pytorch(model, x, labels)
    whole = torch.stack([g.norm() for n, g in theirs.items() if "running_" not in n]).norm().item()
    worst, where = abs(ours.pop("loss").item() - loss.item()) / abs(loss.item()), "loss"
    missing = sorted(set(theirs) - set(ours))
    if missing:
        return float("inf"), f"no gradient of {missing[0]}", len(theirs)
    for tensor, expected in theirs.items():
        least = 0 if "running_" in tensor else 1e-3 * whole
        difference = ((ours[tensor] - expected).norm() / max(expected.norm().item(), least, 1e-12)).item()
        if difference > worst:
            worst, where = difference, tensor
    return worst, where, len(theirs)


if __name__ == "__main__":
    worker, folder, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    failed = 0
    for name in names:
        worst, where, tensors = compare(worker, folder, name)
        failed += not worst <= TOLERANCE
        print(f"{name:24} {tensors:5} tensors  {worst:.1e} at {where}", flush=True)
    print(f"{len(names) - failed} of {len(names)} networks have PyTorch's loss and gradients to {TOLERANCE:.0e}")
    sys.exit(failed > 0)
