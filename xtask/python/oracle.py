"""The zero oracle, many checks in one process: a pruned network must answer like the full one whose removed slices are zeroed.

Reads JSON lines {"full", "pruned", "report", "shape"} and answers each with {"error", "moved"} or {"failed"}. `error` is the
largest difference relative to the largest logit, `moved` the same between the pruned and the untouched full network (a
check that moves nothing proves nothing). The batch has three images, so that a batch written into a file as a constant shows.

With {"same": [file, file]} instead of a report: whether two pruned files answer alike, PyTorch the one and ONNX Runtime the
other. This is for networks with norms over channels, whose zeroed channels still count in the norm.
"""
import json, os, sys, tempfile
import numpy as np, onnx, onnxruntime, torch
from onnx import numpy_helper

onnxruntime.set_default_logger_severity(4)


def zeroed(read, write, report):
    state = {}
    for group in report["groups"]:
        for member in group["members"]:
            name = member["parameter"]
            if member["removed"] and name not in report.get("divisors", []):
                array = state.setdefault(name, read(name)) if name not in state else state[name]
                array[(slice(None),) * member["axis"] + (np.array(member["removed"]),)] = 0
    for name, array in state.items():
        write(name, array)


def torchscript(path, x, report):
    module = torch.jit.load(path, map_location="cpu").eval()
    with torch.no_grad():
        if report:
            state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
            zeroed(lambda n: state[n].detach().numpy().copy(), lambda n, a: state[n].copy_(torch.from_numpy(a)), report)
        y = module(torch.from_numpy(x))
    return (y[0] if isinstance(y, (tuple, list)) else y).numpy()


def onnx_model(path, x, report):
    with tempfile.TemporaryDirectory() as folder:
        source = path
        if report:
            model = onnx.load(path)
            tensors = {t.name: t for t in model.graph.initializer}
            zeroed(lambda n: numpy_helper.to_array(tensors[n]).copy(),
                   lambda n, a: tensors[n].CopyFrom(numpy_helper.from_array(a, n)), report)
            source = os.path.join(folder, "zeroed.onnx")  # weights beside it: protobuf ends at 2 GB
            onnx.save_model(model, source, save_as_external_data=True, location="zeroed.data")
        session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
        return session.run(None, {session.get_inputs()[0].name: x})[0]


def answer(path, x, report=None):
    return (onnx_model if path.endswith(".onnx") else torchscript)(path, x, report)


def difference(want, got):
    """The largest difference relative to the largest logit that is wanted; what cannot be compared is no answer."""
    if want.shape != got.shape:
        raise ValueError(f"answers have the shapes {want.shape} and {got.shape}")
    if not (np.isfinite(want).all() and np.isfinite(got).all()):
        raise ValueError("an answer is infinite or not a number")
    return float(np.abs(want - got).max() / max(np.abs(want).max(), 1e-12))


def check(job):
    sizes = [3] + [int(s) for s in job["shape"].split(",")][1:]
    x = np.random.RandomState(0).randn(*sizes).astype(np.float32)
    full = answer(job["full"], x)
    if "same" in job:
        want, got = (answer(path, x) for path in job["same"])
    else:
        want, got = answer(job["full"], x, json.load(open(job["report"]))), answer(job["pruned"], x)
    return {"error": difference(want, got), "moved": difference(full, got)}


for line in sys.stdin:
    try:
        result = check(json.loads(line))
    except Exception as error:
        result = {"failed": repr(error)[:300]}
    print(json.dumps(result), flush=True)
