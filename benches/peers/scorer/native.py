"""What `export.py` wrote, in onnxruntime's own program on this machine: milliseconds per catalogue. Prints one JSON object.

    python benches/peers/scorer/native.py --onnx FOLDER --native SCORES.json
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

TOLERANCE = 1e-3

parser = argparse.ArgumentParser()
parser.add_argument("--onnx", type=Path, required=True)
parser.add_argument("--native", type=Path)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--calls", type=int, default=64)
parser.add_argument("--warm-up", type=int, default=8)
args = parser.parse_args()

options = ort.SessionOptions()
options.intra_op_num_threads = args.threads
options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
start = time.perf_counter()
session = ort.InferenceSession(args.onnx / "scorer.onnx", options, providers=["CPUExecutionProvider"])
load = time.perf_counter() - start
found = json.loads((args.onnx / "viewers.json").read_text())
inputs = [
    {
        "history": np.array(viewer["history"], np.int32),
        "matched": np.array(viewer["matched"], np.float32).reshape(found["events"], found["width"]),
        "pattern": np.array(viewer["pattern"], np.float32)[None],
    }
    for viewer in found["viewers"]
]

milliseconds = []
for call in range(args.warm_up + args.calls):
    if call == args.warm_up:
        used = time.process_time()
    start = time.perf_counter()
    session.run(["scores"], inputs[call % len(inputs)])
    if call >= args.warm_up:
        milliseconds.append(1000 * (time.perf_counter() - start))
cpu = 1000 * (time.process_time() - used) / args.calls

difference = None
if args.native:
    users = json.loads(args.native.read_text())["users"]
    far = [np.abs(session.run(["scores"], inputs[one["user"]])[0] - np.array(one["scores"])).max() for one in users]
    difference = float(np.max(far))
    assert difference <= TOLERANCE, f"onnxruntime is {difference} away from the native scores, and {TOLERANCE} is allowed"


def at(percent):
    """The smallest measured value that at least so many in a hundred do not exceed."""
    return sorted(milliseconds)[math.ceil(len(milliseconds) * percent / 100) - 1]


print(json.dumps({
    "scores": {"p50": at(50), "p95": at(95), "cpu_ms": cpu}, "load_ms": 1000 * load, "difference": difference,
    "threads": args.threads, "onnxruntime": ort.__version__,
}))
