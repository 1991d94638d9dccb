"""Makes the seeds of the fuzz targets: tiny networks as TorchScript and ONNX, some kB each.

    .venv/bin/python backend/torchscript/fuzz/seeds/networks.py

`cargo xtask matrix` and `cargo xtask accept` make that virtual environment. The files are committed; this says how they were
made, and makes more of them when an importer learns more.
"""

import pathlib
import re
import warnings
import zipfile

import onnx
import torch
from onnx import TensorProto, helper
from torch import nn
from torch.nn import functional

BACKEND = pathlib.Path(__file__).resolve().parents[3]
TORCHSCRIPT = BACKEND / "torchscript/fuzz/seeds/torchscript"
ONNX = BACKEND / "onnx/fuzz/seeds/import"


class Plain(nn.Module):
    """Convolutions, batch norms, a residual, a depthwise layer, a classifier."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = x + functional.hardswish(self.depthwise(x))
        x = functional.adaptive_avg_pool2d(self.pool(x), 1)
        return self.fc(torch.flatten(x, 1))


class Shuffled(nn.Module):
    """Chunks, a concatenation, a channel shuffle, a squeeze-excite gate, sizes that follow the batch."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 1)
        self.conv2 = nn.Conv2d(2, 2, 3, stride=2, padding=1)
        self.gate = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        a, b = self.conv1(x).chunk(2, 1)
        y = torch.cat([self.conv2(a), functional.avg_pool2d(b, 2)], 1)
        n, c, h, w = y.shape
        y = y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        y = y * torch.sigmoid(self.gate(y.mean([2, 3], keepdim=True)))
        y = functional.interpolate(functional.pad(y, [0, 1, 0, 1]), scale_factor=2.0)
        return y.mean([2, 3])


class Attention(nn.Module):
    """Patches, a position embedding, heads, layer norm, GELU."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 4, 4, stride=4)
        self.position = nn.Parameter(torch.randn(1, 4, 4))
        self.norm = nn.LayerNorm(4)
        self.qkv = nn.Linear(4, 12)
        self.mlp = nn.Linear(4, 4)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2) + self.position
        n, length, width = x.shape
        qkv = self.qkv(self.norm(x)).reshape(n, length, 3, 2, width // 2).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        weights = torch.softmax((q * 0.5) @ k.transpose(-2, -1), -1)
        x = x + (weights @ v).transpose(1, 2).reshape(n, length, width)
        return functional.gelu(self.mlp(x)).mean(1)


class Controlled(nn.Module):
    """Loops, branches, lists, helpers: what only scripting keeps."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1, bias=False)])
        self.scale = 2

    def halve(self, x, times: int):
        while times > 0:
            x = functional.avg_pool2d(x, 2)
            times -= 1
        return x

    def forward(self, x):
        parts = []
        for layer in self.layers:
            x = layer(x)
            parts.append(torch.relu(x))
        y = torch.stack(parts, 1).sum(1)
        if y.size(1) == 3 and not self.training:
            y = self.halve(y, self.scale)
        else:
            y = y[:, :1]
        for i in range(2):
            y = y * (1.0 + float(i))
        return y.flatten(1)


def torchscript():
    """A traced and a scripted file of each network, without the records of where code stood in Python."""
    TORCHSCRIPT.mkdir(parents=True, exist_ok=True)
    x = torch.randn(2, 3, 8, 8)
    for make in [Plain, Shuffled, Attention, Controlled]:
        network = make().eval()
        name = make.__name__.lower()
        torch.jit.script(network).save(str(TORCHSCRIPT / f"{name}_scripted.pt"))
        if make is not Controlled:
            torch.jit.trace(network, x).save(str(TORCHSCRIPT / f"{name}_traced.pt"))
    for path in TORCHSCRIPT.glob("*.pt"):
        packed_again(path)


def packed_again(path):
    """Drops the debug records and packs without the padding between tensors: a seed that is small is mutated where it counts."""
    with zipfile.ZipFile(path) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist() if not name.endswith(".debug_pkl")]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries:
            inner = name.split("/", 1)[1]
            if inner not in {"byteorder", ".data/serialization_id", ".format_version", ".storage_alignment"}:
                archive.writestr(zipfile.ZipInfo("net/" + inner), content)


def onnx_files():
    ONNX.mkdir(parents=True, exist_ok=True)
    x = torch.randn(2, 3, 8, 8)
    for make in [Plain, Shuffled, Attention]:
        path = ONNX / f"{make.__name__.lower()}.onnx"
        axes = {"x": {0: "N"}, "y": {0: "N"}}
        torch.onnx.export(
            make().eval(), x, str(path), input_names=["x"], output_names=["y"], dynamic_axes=axes, dynamo=False
        )
    branches_and_functions()
    constants()


def saved(graph, name, functions=()):
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, opset_imports=opsets, functions=list(functions), ir_version=8)
    onnx.save(model, str(ONNX / name))


def port(name, shape=None):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def branches_and_functions():
    node = helper.make_node
    inner = helper.make_graph([node("Relu", ["x"], ["then"])], "then", [], [port("then")])
    other = helper.make_graph([node("Neg", ["x"], ["else"])], "else", [], [port("else")])
    scaled = helper.make_function(
        "own", "Scaled", ["a"], ["b"], [node("LeakyRelu", ["a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    nodes = [
        node("If", ["flag"], ["chosen"], then_branch=inner, else_branch=other),
        node("Scaled", ["chosen"], ["scaled"], domain="own"),
        node("Conv", ["scaled", "w"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("GlobalAveragePool", ["c"], ["p"]),
        node("Flatten", ["p"], ["y"]),
    ]
    flag = helper.make_tensor("flag", TensorProto.BOOL, [], [True])
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2, 3, 3, 3], [0.1] * 54)
    graph = helper.make_graph(nodes, "branches", [port("x", ["N", 3, 8, 8])], [port("y")], [flag, weight])
    saved(graph, "branches.onnx", [scaled])


def constants():
    node = helper.make_node
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["n"], axis=0),
        node("Concat", ["n", "rest"], ["target"], axis=0),
        node("Reshape", ["x", "target"], ["flat"]),
        node("Range", ["low", "high", "one"], ["ramp"]),
        node("Cast", ["ramp"], ["numbers"], to=TensorProto.FLOAT),
        node("Mul", ["flat", "numbers"], ["m"]),
        node("Slice", ["m", "from", "to", "one_axis"], ["part"]),
        node("Tile", ["part", "repeats"], ["tiled"]),
        node("Gemm", ["tiled", "w", "b"], ["y"], transB=1),
    ]
    numbers = {"zero": [0], "rest": [192], "from": [0], "to": [4], "one_axis": [1], "repeats": [1, 2]}
    tensors = [helper.make_tensor(k, TensorProto.INT64, [len(v)], v) for k, v in numbers.items()]
    tensors += [helper.make_tensor(k, TensorProto.INT64, [], [v]) for k, v in {"low": 0, "high": 192, "one": 1}.items()]
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2, 8], [0.5] * 16)
    outside = helper.make_tensor("b", TensorProto.FLOAT, [2], [0.0] * 2)
    outside.ClearField("float_data")
    outside.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "weights.data", "offset": "8", "length": "8"}.items():
        outside.external_data.add(key=key, value=value)
    graph = helper.make_graph(nodes, "constants", [port("x", ["N", 3, 8, 8])], [port("y")], [*tensors, weight, outside])
    saved(graph, "constants.onnx")


def calls():
    """A call for each overload of each operator that the importer knows: what mutations write into code. `$T` stands for a
    tensor, `$I` for a whole number, `$F` for a number, `$B` for a truth value, `$S` for a text, `$L` for a list of whole
    numbers, `$N` for a list of tensors."""
    page = (BACKEND.parent / "docs/operators.md").read_text()
    known = set(re.findall(r"`(aten::[a-z0-9_]+)`", page))
    places = {"Tensor": "$T", "int": "$I", "float": "$F", "number": "$F", "bool": "$B", "str": "$S", "List[int]": "$L"}
    places |= {"List[Tensor]": "$N", "List[Optional[Tensor]]": "$N", "List[float]": "[$F, $F]"}
    lines = set()
    for schema in torch._C._jit_get_all_schemas():
        if schema.name not in known | {name + "_" for name in known} or schema.overload_name.endswith("out"):
            continue
        arguments = []
        for argument in schema.arguments:
            kind = argument.type.annotation_str
            optional = re.fullmatch(r"Optional\[(.*)\]", kind)
            place = places.get(optional[1] if optional else kind, "None" if optional else "$A")
            arguments.append(f"{argument.name}={place}" if argument.kwarg_only else place)
        lines.add(f"torch.{schema.name[6:]}({', '.join(arguments)})")
    path = BACKEND / "torchscript/fuzz/seeds/calls.txt"
    path.write_text("\n".join(sorted(lines)) + "\n")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    torch.manual_seed(1)
    torchscript()
    onnx_files()
    calls()
