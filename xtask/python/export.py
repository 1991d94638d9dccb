"""Writes torchvision classifiers with random weights as files to prune, one JSON line a file.

usage: export.py OUTDIR FORMATS NAME...     FORMATS: traced,scripted,onnx,onnx_bn,dynamo,published
`onnx` has its batch norms folded, as exporters do by default; `onnx_bn` keeps them; `dynamo` is the newer exporter, with the
weights in a file beside it; `published` is traced at the size that torchvision states multiply-adds for. Without NAME: the names of every classifier, one a line.
"""
import json, os, sys, time, warnings
import torch, torchvision

warnings.filterwarnings("ignore")
SIDE = {"inception_v3": 299, "maxvit_t": 224}


def side(name):
    return SIDE.get(name) or (224 if name.startswith(("vit", "alexnet", "squeezenet")) else 64)


def build(name):
    """Random statistics and affines in the batch norms, so that a mistake shows."""
    torch.manual_seed(0)
    extra = {"init_weights": False, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    model = torchvision.models.get_model(name, weights=None, **extra).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5), module.bias.data.normal_(0, 0.2)
            module.running_mean.normal_(0, 0.2), module.running_var.uniform_(0.5, 1.5)
    for parameter in model.parameters():
        if not parameter.any():  # vit's head begins at zero, and zeros are equal to any zeros
            parameter.data.normal_(0, 0.05)
    return model


def published(name):
    """Side and GMACs that torchvision states for its weights, if it does for a network of convolutions."""
    weights = torchvision.models.get_model_weights(name)
    meta = weights.DEFAULT.meta if len(weights) else {}
    if "_ops" not in meta or name.startswith(("vit", "swin", "maxvit")):
        return None
    return weights.DEFAULT.transforms().crop_size[0], meta["_ops"]


def export(model, x, form, path):
    if form in ("traced", "published"):
        torch.jit.trace(model, x, check_trace=False).save(path)
    elif form == "scripted":
        torch.jit.script(model).save(path)
    elif form == "dynamo":
        torch.onnx.export(model, (x,), path, input_names=["input"], output_names=["logits"], dynamo=True, verbose=False,
                          external_data=True, dynamic_shapes=({0: torch.export.Dim("batch")},))
    else:
        keep = dict(training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False) if form == "onnx_bn" else {}
        axes = {"input": {0: "batch"}, "logits": {0: "batch"}}
        torch.onnx.export(model, (x,), path, input_names=["input"], output_names=["logits"], dynamo=False, dynamic_axes=axes, **keep)


def main():
    out, formats, names = sys.argv[1], sys.argv[2].split(","), sys.argv[3:]
    if not names:
        print("\n".join(torchvision.models.list_models(module=torchvision.models)))
        return
    for name in names:
        model, s = build(name), side(name)
        for form in formats:
            path = os.path.join(out, f"{name}.{form}.{'pt' if form in ('traced', 'scripted', 'published') else 'onnx'}")
            line = {"model": name, "format": form, "path": path}
            if form == "published":
                stated = published(name)
                if stated is None:
                    continue
                s, line["gflops"] = stated
            line["shape"] = f"1,3,{s},{s}"
            x = torch.randn(2, 3, s, s)
            try:
                export(model, x, form, path)
            except Exception as error:  # what an exporter cannot write is no fault of ours, but is listed
                line["export_failed"] = repr(error)[:200]
            print(json.dumps(line), flush=True)


main()
