"""Writes two_parts.onnx with its weights beside it: a small network with random weights, for uploads in two parts."""
import torch, torch.nn as nn, onnx
torch.manual_seed(0)
def block(i, o, s): return nn.Sequential(nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU())
net = nn.Sequential(block(1, 16, 2), block(16, 32, 2), block(32, 64, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)).eval()
torch.onnx.export(net, (torch.randn(2, 1, 28, 28),), "two_parts.onnx", input_names=["input"], output_names=["logits"], dynamo=False,
                  dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}})
onnx.save_model(onnx.load("two_parts.onnx"), "two_parts.onnx", save_as_external_data=True, location="two_parts.onnx.data", size_threshold=1024)
