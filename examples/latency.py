"""How long ONNX files take beside the first of them: one thread, one image, the median of many runs that take turns.

usage: latency.py FULL.onnx PRUNED.onnx ...     (needs numpy and onnxruntime)
"""
import sys
import time

import numpy
import onnxruntime

RUNS, WARM_UP = 300, 50


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def main():
    sessions = [session(path) for path in sys.argv[1:]]
    inputs = sessions[0].get_inputs()[0]
    shape = [1] + inputs.shape[1:]
    image = numpy.random.default_rng(0).standard_normal(shape).astype(numpy.float32)
    seconds = numpy.zeros([RUNS, len(sessions)])
    for run in seconds:
        for index, each in enumerate(sessions):
            start = time.perf_counter()
            each.run(None, {each.get_inputs()[0].name: image})
            run[index] = time.perf_counter() - start
    medians = numpy.median(seconds[WARM_UP:], axis=0)
    for path, median in zip(sys.argv[1:], medians):
        print(f"{path}: {1000 * median:.3f} ms, {median / medians[0]:.2f} of {sys.argv[1]}")


if __name__ == "__main__":
    main()
