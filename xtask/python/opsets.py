"""Pruned networks as ONNX in every version of its operators that EagleEye writes.

usage: opsets.py WORKER DIR NAME...    networks by torchvision's names, with random weights, traced into DIR
Each network is pruned at half of its multiply-adds. onnx.checker must find every file valid, shapes included, and ONNX Runtime must
answer as on the file in the default version, to 1e-4 of the largest number. What a version has no operator for is refused by the
worker; the reason names the version that has one. Ends with 1 where a file is invalid or answers otherwise.
"""
import os, subprocess, sys
import numpy as np, onnx, onnxruntime, torch
from export import build, side

TOLERANCE = 1e-4
DEFAULT, OPSETS = 17, range(13, 22)
BUDGETS = ["0.5", "0.75"]  # not every network reaches half


def prune(worker, full, shape, opset, out):
    """The reason where the worker refuses."""
    for budget in BUDGETS:
        arguments = [worker, "prune", full, "--input-shape", shape, "--macs", budget, "--seed", "1", "--opset", str(opset), "--json", "--out", out]
        done = subprocess.run(arguments, capture_output=True, text=True)
        if done.returncode == 0:
            return None
    return done.stderr.strip().splitlines()[-1]


def answer(path, x):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def check(worker, folder, name):
    """By opset: the difference, or the reason of a refusal."""
    size = side(name)
    full, out = os.path.join(folder, "opsets.pt"), os.path.join(folder, "opsets.onnx")
    with torch.no_grad():
        torch.jit.trace(build(name), torch.randn(2, 3, size, size), check_trace=False).save(full)
    x = np.random.RandomState(0).randn(3, 3, size, size).astype(np.float32)
    found, want = {}, None
    for opset in (DEFAULT, *(o for o in OPSETS if o != DEFAULT)):
        refused = prune(worker, full, f"1,3,{size},{size}", opset, out)
        if refused:
            found[opset] = refused
            continue
        model = onnx.load(out)
        onnx.checker.check_model(model, full_check=True)
        if model.opset_import[0].version != opset:
            raise ValueError(f"{opset} was asked for, and the file says {model.opset_import[0].version}")
        got = answer(out, x)
        want = got if want is None else want
        found[opset] = float(np.abs(got - want).max() / np.abs(want).max())
    return found


if __name__ == "__main__":
    worker, folder, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    failed = 0
    for name in names:
        try:
            found = check(worker, folder, name)
        except Exception as error:  # the others are checked all the same
            failed += 1
            print(f"{name:24} FAILED: {' '.join(repr(error).split())[:300]}", flush=True)
            continue
        refused = {opset: reason for opset, reason in found.items() if isinstance(reason, str)}
        numbers = {opset: error for opset, error in found.items() if opset not in refused}
        wrong = [o for o, reason in refused.items() if "operator set" not in reason] + [o for o, e in numbers.items() if not e <= TOLERANCE]
        failed += bool(wrong)
        says = f"{max(numbers.values(), default=float('nan')):.1e} in {len(numbers)} versions"
        says += f"; refused in {', '.join(map(str, sorted(refused)))}: {refused[min(refused)]}" if refused else ""
        print(f"{name:24} {'WRONG in ' + str(wrong) + ' ' if wrong else ''}{says}", flush=True)
    print(f"{len(names) - failed} of {len(names)} networks are valid and answer alike in every version that has their operators")
    sys.exit(failed > 0)
