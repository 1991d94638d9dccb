"""Rebuilds a network that EagleEye has pruned, from the class that the full network is of.

    import torchvision
    from rebuild import rebuild

    model = torchvision.models.resnet18(weights=None)    # or your own class, made as for the full network
    model = rebuild(model)                               # the pruned network with its weights
    model(images)                                        # or go on training it

`rebuild` changes the model in place: parameters, buffers and the attributes of modules that say how wide they are. Call it
before you make an optimizer, which would otherwise keep the full network's parameters. Parameters stay on their devices, and keep
their element types and `requires_grad`.

`weights.safetensors` is read from beside this file. Nothing needs to be unpacked: with `sys.path.insert(0, "pruned.zip")` the
import above finds both in the archive.

To save the network and to load it again:

    torch.save(model.state_dict(), "tuned.pt")
    model = resize(torchvision.models.resnet18(weights=None))
    model.load_state_dict(torch.load("tuned.pt"))

Written by EagleEye; where the network comes from and how well it does is in `card.md` and `card.json`.
"""
import json
import os
from collections import OrderedDict

import torch
from torch import nn

# By module: attributes that say how wide it is, where they are not those of the full network.
WIDTHS = @WIDTHS@

# By name in the state_dict: shapes of tensors, where they are not those of the full network.
SHAPES = @SHAPES@

WEIGHTS = "weights.safetensors"
DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}


def rebuild(model: nn.Module) -> nn.Module:
    """The pruned network with its weights: `model` itself, changed in place."""
    resize(model)
    state, stored = weights(), model.state_dict()
    state._metadata = stored._metadata  # versions of the modules' states: those of the classes at hand
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            if name in state and name not in stored:  # a buffer that is not persistent
                buffer.copy_(state.pop(name))
    model.load_state_dict(state, strict=True)
    return model


def resize(model: nn.Module) -> nn.Module:
    """Gives `model` the widths of the pruned network, in place. What its tensors hold afterwards is arbitrary."""
    resized = {}  # tied parameters stay tied
    for name, shape in SHAPES.items():
        module, attribute = owner(model, name)
        old = getattr(module, attribute)
        if id(old) not in resized:
            new = torch.empty(shape, dtype=old.dtype, device=old.device)
            if isinstance(old, nn.Parameter):
                new = nn.Parameter(new, requires_grad=old.requires_grad)
            resized[id(old)] = (old, new)  # with the old one, whose id must not be given again
        setattr(module, attribute, resized[id(old)][1])
    for name, widths in WIDTHS.items():
        module = model.get_submodule(name)
        for attribute, width in widths.items():
            if hasattr(module, attribute):
                setattr(module, attribute, tuple(width) if isinstance(width, list) else width)
            elif attribute == "groups":
                raise AttributeError(f"module `{name}` must compute in {width} groups, but it has no attribute `groups`")
    return model


def owner(model, name):
    """The module that holds a tensor, and the name that it has there."""
    path, _, attribute = name.rpartition(".")
    module = model.get_submodule(path)
    if not isinstance(getattr(module, attribute, None), torch.Tensor):
        raise KeyError(f"the model has no tensor `{name}`: it is not of the class that the full network was of")
    return module, attribute


def weights() -> OrderedDict:
    """The weights by their names in the state_dict."""
    path = os.path.join(os.path.dirname(__file__), WEIGHTS)
    data = bytearray(__loader__.get_data(path))  # also where this file was imported from an archive
    size = int.from_bytes(data[:8], "little")
    header, start = json.loads(data[8:8 + size]), 8 + size
    header.pop("__metadata__", None)
    return OrderedDict((name, tensor(data, start, entry)) for name, entry in header.items())


def tensor(data, start, entry):
    (begin, end), dtype = entry["data_offsets"], DTYPES[entry["dtype"]]
    if begin == end:
        return torch.empty(entry["shape"], dtype=dtype)
    count = (end - begin) // torch.empty(0, dtype=dtype).element_size()
    return torch.frombuffer(data, dtype=dtype, count=count, offset=start + begin).reshape(entry["shape"])
