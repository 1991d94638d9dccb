"""Writes torchvision classifiers with random weights as files to prune.

usage: export.py OUTDIR FORMATS     FORMATS: traced,scripted,onnx,onnx_bn,dynamo, each also as FORMAT@stated
Reads names as JSON strings, one a line, and answers each with a JSON list of the files that it wrote. `onnx` has its batch norms
folded, as exporters do by default; `onnx_bn` keeps them; `dynamo` is the newer exporter, with the weights in a file beside it.
`@stated` takes networks of convolutions alone, at the size that torchvision states their multiply-adds for, and says those.
`mobilenet_v2*4` is a narrow MobileNetV2 with four times the blocks, at 224; `timm/NAME` is timm's network of that name, exportable.
usage: export.py --names            the names of every classifier, one a line
usage: export.py --timm             the smallest network of each of timm's families (its modules), one a line, as timm/NAME
"""
import json, os, sys, warnings
import torch, torchvision

warnings.filterwarnings("ignore")
SIDE = {"inception_v3": 299, "maxvit_t": 224}


def side(name):
    """64 where the architecture and every exporter allow it: VGG's pooling to 7 x 7 can only be written where it divides."""
    return SIDE.get(name) or (224 if name.startswith(("vit", "alexnet", "squeezenet", "vgg")) else 64)


def timm_size(name):
    import timm
    return timm.get_pretrained_cfg(name.removeprefix("timm/")).input_size


def timm_families():
    """By parameters, without memory for them."""
    import timm
    for module in sorted(timm.list_modules()):
        sizes = []
        for name in timm.list_models(module=module):
            try:
                with torch.device("meta"):
                    network = timm.create_model(name, pretrained=False)
            except Exception:  # a few cannot be made without memory, and have larger siblings
                continue
            sizes.append((sum(p.numel() for p in network.parameters()), name))
        if sizes:
            yield f"timm/{min(sizes)[1]}"


def build(name):
    """Statistics and affines of the batch norms are random, so that a mistake shows."""
    torch.manual_seed(0)
    if name.startswith("timm/"):
        import timm
        model = timm.create_model(name.removeprefix("timm/"), pretrained=False, exportable=True).eval()
    elif "*" in name:
        model = deep(int(name.removeprefix("mobilenet_v2*"))).eval()
    else:
        extra = {"init_weights": False, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
        model = torchvision.models.get_model(name, weights=None, **extra).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            if module.affine:
                module.weight.data.uniform_(0.5, 1.5), module.bias.data.normal_(0, 0.2)
            module.running_mean.normal_(0, 0.2), module.running_var.uniform_(0.5, 1.5)
    for parameter in model.parameters():
        if not parameter.any():  # vit's head begins at zero, and zeros are equal to any zeros
            parameter.data.normal_(0, 0.05)
        elif parameter.numel() > 1 and parameter.abs().max() < 1e-3 and parameter.min() == parameter.max():
            parameter.data.uniform_(0.5, 1.5)  # scales of residual branches begin so small that nothing in them shows
    return model


def deep(times):
    blocks = [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]]
    return torchvision.models.MobileNetV2(width_mult=0.25, inverted_residual_setting=[[t, c, n * times, s] for t, c, n, s in blocks])


def stated(name):
    """Side and GMACs that torchvision states for its weights, if it does for a network of convolutions."""
    if "*" in name:
        return 224, None
    weights = torchvision.models.get_model_weights(name)
    meta = weights.DEFAULT.meta if len(weights) else {}
    if "_ops" not in meta or name.startswith(("vit", "swin", "maxvit")):
        return None
    return weights.DEFAULT.transforms().crop_size[0], meta["_ops"]


def export(model, x, form, path):
    if form == "traced":
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


def files(name, formats, out):
    """Writes the network in every format, each in a folder of its own, since exporters put large weights beside the file."""
    model, lines = build(name), []
    for wanted in formats:
        form, _, at = wanted.partition("@")
        line = {"model": name, "format": form}
        shape = timm_size(name) if name.startswith("timm/") else (3, side(name), side(name))
        if at == "stated":
            if stated(name) is None:
                continue
            s, line["gflops"] = stated(name)
            shape = (3, s, s)
        folder = os.path.join(out, f"{name}.{form}".replace("/", "."))
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, "network." + ("pt" if form in ("traced", "scripted") else "onnx"))
        line |= {"folder": folder, "path": path, "shape": ",".join(map(str, (1, *shape)))}
        try:
            export(model, torch.randn(2, *shape), form, path)
        except Exception as error:  # what an exporter cannot write is no fault of ours, but is listed
            line["export_failed"] = " ".join(repr(error).split())[:200]
        lines.append(line)
    return lines


if __name__ == "__main__":
    if sys.argv[1] == "--names":
        print("\n".join(torchvision.models.list_models(module=torchvision.models)))
    elif sys.argv[1] == "--timm":
        print("\n".join(timm_families()))
    else:
        out, formats = sys.argv[1], sys.argv[2].split(",")
        answers, sys.stdout = sys.stdout, sys.stderr  # exporters print
        for question in sys.stdin:
            print(json.dumps(files(json.loads(question), formats, out)), file=answers, flush=True)
