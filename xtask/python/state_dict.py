"""Rebuilds pruned networks from their original classes, as `rebuild.py` of a state_dict archive does it for PyTorch's users.

usage: state_dict.py WORKER DIR NAME...    networks by torchvision's names, with random weights, traced into DIR
usage: state_dict.py --names               the names of the classifiers that have batch norms, one a line

Each network is pruned at half of its multiply-adds, once as an archive and once as TorchScript, which is proven against the engine
when it is written. The class is made again with other weights and rebuilt from the archive as it lies there. Its answer must be that
of the TorchScript file to 1e-4 of the largest number, in batches of 1 and 3, and must not be that of the full network; after `resize`
another instance must take its `state_dict`; and every parameter must get a gradient where the full network's gets one.
Where a candidate is refused, the worker's reason is printed. Ends with 1 where an archive that was written does not hold.
"""
import importlib.util, os, subprocess, sys, time, zipimport
import torch, torchvision
from export import build, side

TOLERANCE = 1e-4
BUDGETS = ["0.5", "0.75"]  # not every network reaches half


def classifiers():
    """Those with batch norms, made without memory where their code allows it."""
    for name in torchvision.models.list_models(module=torchvision.models):
        extra = {"init_weights": False, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
        with torch.device("cpu" if name.startswith("regnet") else "meta"):
            model = torchvision.models.get_model(name, weights=None, **extra)
        if any(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in model.modules()):
            yield name


def fresh(name):
    """An instance as a user makes it, whose weights are none of those that were pruned."""
    torch.manual_seed(7)
    extra = {"init_weights": True, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    return torchvision.models.get_model(name, weights=None, **extra).eval()


def imported(archive):
    importer = zipimport.zipimporter(archive)
    importer.invalidate_caches()  # of the archive that had this name before
    spec = importer.find_spec("rebuild")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prune(worker, full, shape, out):
    """The reason where the worker refuses."""
    for budget in BUDGETS:
        arguments = [worker, "prune", full, "--input-shape", shape, "--macs", budget, "--seed", "1", "--json", "--out", out]
        done = subprocess.run(arguments, capture_output=True, text=True)
        if done.returncode == 0:
            return None
        reason = done.stderr.strip().splitlines()[-1].removeprefix("error: ") if done.stderr else f"exit {done.returncode}"
    return reason


def difference(found, expected):
    if found.shape != expected.shape or not torch.isfinite(found).all():
        return float("inf")
    return ((found - expected).abs().max() / expected.abs().max().clamp(min=1e-12)).item()


def with_gradients(model, x):
    model.zero_grad(set_to_none=True)
    model(x).square().mean().backward()
    return {name for name, parameter in model.named_parameters() if parameter.grad is not None}


def check(worker, folder, name):
    """Largest difference, or why there is no archive."""
    size = side(name)
    shape = f"1,3,{size},{size}"
    full, archive, pruned = (os.path.join(folder, file) for file in ("state_dict.full.pt", "state_dict.zip", "state_dict.pt"))
    model = build(name)
    with torch.no_grad():
        torch.jit.trace(model, torch.randn(2, 3, size, size), check_trace=False).save(full)
    refused = prune(worker, full, shape, archive)
    if refused:
        return None, refused
    if reason := prune(worker, full, shape, pruned):
        return float("inf"), f"TorchScript is refused: {reason}"
    rebuild = imported(archive)
    rebuilt, expected = rebuild.rebuild(fresh(name)), torch.jit.load(pruned).eval()
    worst, moved = 0.0, float("inf")
    with torch.no_grad():
        for batch in (1, 3):
            x = torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(batch))
            want = expected(x)
            want = want[0] if isinstance(want, (tuple, list)) else want
            worst = max(worst, difference(rebuilt(x), want))
            moved = min(moved, difference(model(x), want))
        again = rebuild.resize(fresh(name))
        again.load_state_dict(rebuilt.state_dict(), strict=True)
        worst = max(worst, difference(again(x), rebuilt(x)))
    if moved <= TOLERANCE:
        return float("inf"), "pruning changed nothing, so the check proves nothing"
    if with_gradients(rebuilt, x) != with_gradients(fresh(name), x):
        return float("inf"), "other parameters have gradients than in the full network"
    counts = [sum(p.numel() for p in m.parameters()) for m in (rebuilt, model)]
    return worst, f"{counts[0] / counts[1]:.0%} of {counts[1] / 1e6:.1f} M parameters"


if __name__ == "__main__":
    if sys.argv[1] == "--names":
        print("\n".join(classifiers()))
        sys.exit()
    worker, folder, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    proven, refused, failed = 0, 0, 0
    for name in names:
        started = time.time()
        try:
            worst, says = check(worker, folder, name)
        except Exception as error:  # the others are checked all the same
            worst, says = float("inf"), " ".join(repr(error).split())[:300]
        if worst is None:
            refused += 1
        else:
            proven, failed = proven + (worst <= TOLERANCE), failed + (not worst <= TOLERANCE)
        says = f"refused: {says}" if worst is None else f"{worst:.1e}, {says}"
        print(f"{name:24} {says}, {time.time() - started:.0f} s", flush=True)
    print(f"{proven} of {len(names)} classes are rebuilt to {TOLERANCE:.0e}, {refused} refused, {failed} wrong")
    sys.exit(failed > 0)
