"""The ranking model of an artefact as an ONNX graph, `scores of the whole catalogue given a history`, and viewers' inputs for it.

    pip install -r benches/peers/scorer/requirements.txt
    python benches/peers/scorer/export.py --artefact ARTEFACT --out FOLDER

Writes FOLDER/scorer.onnx and FOLDER/viewers.json (each viewer's history, matched vectors and pattern), and prints one JSON object.

The graph is what a good engineer would give the runtime, not what a tracer finds: everything that does not depend on the viewer is a
constant (keys and values of all reasons, the ID part of the score network's first layer), shapes are fixed, all candidates are one batch,
DIN's first layer is decomposed so that candidates meet all events in one product, a PReLU under a sum is a ReLU and a linear
part, and the interest vector is never formed: `W z = (W H) a` and `z · x = a · (H x)`.
"""

import argparse
import importlib.metadata
import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

OPSET = 21
MASKED = -1e9

parser = argparse.ArgumentParser()
parser.add_argument("--artefact", type=Path, required=True)
parser.add_argument("--out", type=Path, required=True)
args = parser.parse_args()

config = json.loads((args.artefact / "manifest.json").read_text())["model"]["reward"]
users = json.loads((args.artefact / "users.json").read_text())
stored = {name: value.astype(np.float32) for name, value in load_file(args.artefact / "model.safetensors").items()}
for switch in ["use_product", "use_ids", "use_reasons", "use_recency"]:
    assert config[switch], f"this graph is of a model with {switch}"
assert config["activation"] == "prelu", "this graph is of a model with PReLU"

items, slots, width, heads = (config[name] for name in ["items", "reasons", "width", "heads"])
both, hidden, events = 2 * width, config["interest_hidden"], config["max_history"]
assert all(len(user["history"]) >= events for user in users), "every history must be as long as the model reads: shapes are fixed"

nodes, constants = [], {}


def weight(name):
    return stored[f"weights.{name}"]


def const(name, value):
    constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
    return name


def op(kind, *inputs, outputs=1, **attributes):
    names = [f"{kind}_{len(nodes)}_{index}" for index in range(outputs)]
    nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
    return names[0] if outputs == 1 else names


def shape(*sizes):
    return const("shape_" + "_".join(map(str, sizes)), np.array(sizes, np.int64))


def reshape(value, *sizes):
    return op("Reshape", value, shape(*sizes))


def axes(axis):
    return const(f"axis_{axis}", np.array([axis], np.int64))


# ---- the history's states (Eq. 9): a causal pre-norm encoder over [ID ; m] with positions

def norm(value, path):
    gamma, beta = const(f"{path}.gamma", weight(f"{path}.gamma")), const(f"{path}.beta", weight(f"{path}.beta"))
    return op("LayerNormalization", value, gamma, beta, axis=-1, epsilon=1e-5)


def linear(value, path, scales=1):
    """`scales` multiply the outputs."""
    return op("Gemm", value, const(f"{path}.weight", weight(f"{path}.weight") * scales), const(f"{path}.bias", weight(f"{path}.bias") * scales))


def attend(value, path):
    scales = np.repeat(np.array([(both // heads) ** -0.5, 1, 1], np.float32), both)  # of queries, keys and values
    projected = reshape(linear(value, f"{path}.projections", scales), events, 3, heads, both // heads)
    parts = op("Split", op("Transpose", projected, perm=[1, 2, 0, 3]), outputs=3, axis=0, num_outputs=3)
    query, key, values = (reshape(part, heads, events, both // heads) for part in parts)
    logits = op("MatMul", query, op("Transpose", key, perm=[0, 2, 1]))
    future = const("future", np.triu(np.full((events, events), MASKED, np.float32), 1))
    attention = op("Softmax", op("Add", logits, future), axis=-1)
    joined = reshape(op("Transpose", op("MatMul", attention, values), perm=[1, 0, 2]), events, both)
    return linear(joined, f"{path}.output")


identities = const("identities", weight("item.weight"))
states = op("Concat", op("Gather", identities, "history"), "matched", axis=1)
states = op("Add", states, const("positions", weight("encoder.positions")[:events]))
for layer in range(config["layers"]):
    path = f"encoder.layers.{layer}"
    states = op("Add", states, attend(norm(states, f"{path}.attention_norm"), path))
    inner = op("Relu", linear(norm(states, f"{path}.forward_norm"), f"{path}.expand"))
    states = op("Add", states, linear(inner, f"{path}.contract"))
states = norm(states, "encoder.norm")  # [T, 2d]

# ---- reasons matched with the pattern (Eq. 7), and the candidates [ID ; m] (Eq. 8)

scale = np.float32((width // heads) ** -0.5)
query = op("Gemm", "pattern", const("query", weight("matching.query.weight") * scale), const("query_bias", weight("matching.query.bias") * scale))
blocks = np.repeat(np.eye(heads, dtype=np.float32), width // heads, axis=0)  # [d, heads]: a head's columns
blocked = op("Mul", reshape(query, width, 1), const("blocks", blocks))
logits = op("MatMul", const("keys", stored["reasons.keys"].reshape(items * slots, width)), blocked)
logits = reshape(logits, items, slots, heads)
counts = stored["reasons.count"]
there = np.arange(slots)[None, :] < counts[:, None]
if not there.all():
    logits = op("Add", logits, const("absent", np.where(there, 0, MASKED).astype(np.float32)[:, :, None]))
attention = op("Softmax", logits, axis=1)
spread = op("MatMul", reshape(attention, items * slots, heads), const("heads", blocks.T.copy()))
weighed = op("Mul", spread, const("values", stored["reasons.values"].reshape(items * slots, width)))
joined = op("ReduceSum", reshape(weighed, items, slots, width), axes(1), keepdims=0)
match = op("Gemm", joined, const("join", weight("matching.output.weight")), const("join_bias", weight("matching.output.bias")))
if (counts == 0).any():
    match = op("Where", const("some", (counts > 0)[:, None]), match, const("no_reason", weight("matching.no_reason")[None]))
candidates = op("Concat", identities, match, axis=1)  # [N, 2d]

# ---- DIN weights (Eq. 10), decomposed: (w₄ ⊙ h + w₂ − w₃) · x + (w₁ + w₃) · h + b

difference, output, alpha = weight("interest.difference"), weight("interest.output"), weight("interest.activation.alpha")
rows = op("Mul", reshape(states, events, 1, both), const("product", weight("interest.product")[None]))
rows = op("Add", rows, const("candidate", (weight("interest.candidate") - difference)[None]))  # [T, hidden, 2d]
constant = op("Gemm", states, const("state", (weight("interest.state") + difference).T.copy()), const("interest_bias", weight("interest.bias")))
before = op("Gemm", candidates, reshape(rows, events * hidden, both), reshape(constant, events * hidden), transB=1)
bent = reshape(op("Relu", before), items * events, hidden)
bent = reshape(op("MatMul", bent, const("bent", (output * (1 - alpha))[:, None])), items, events)
straight = const("straight", (output * alpha)[:, None])
straight_rows = reshape(op("MatMul", const("straight_row", (output * alpha)[None]), rows), events, both)
weights = op("Gemm", candidates, straight_rows, bent, transB=1)  # [N, T]
ages = np.arange(events)[::-1]
fresh, shift = weight("interest.recency_scale")[ages], weight("interest.recency_shift")[ages]
rest = op("Add", reshape(op("MatMul", constant, straight), events), const("output_bias", weight("interest.output_bias")))
rest = op("Add", op("Mul", rest, const("fresh", fresh)), const("shift", shift))
weights = op("Add", op("Mul", weights, "fresh"), rest)

# ---- the score network (Eq. 11) and z · x, without z

head = weight("head.candidate.weight")
inner = op("Gemm", match, const("head_match", head[width:]), const("head_identity", weight("item.weight") @ head[:width]))
inner = op("Gemm", weights, op("MatMul", states, const("head_interest", weight("head.interest.weight"))), inner)
pattern = op("Gemm", "pattern", const("head_pattern", weight("head.pattern.weight")), const("head_bias", weight("head.interest.bias")))
inner = op("PRelu", op("Add", inner, pattern), const("head_alpha", weight("head.activation.alpha")))
score = op("Gemm", inner, const("head_output", weight("head.output.weight")), const("head_output_bias", weight("head.output.bias")))
product = op("Mul", weights, op("Gemm", candidates, states, transB=1))
logits = op("Add", reshape(score, items), op("ReduceSum", product, axes(1), keepdims=0))
nodes.append(helper.make_node("Sigmoid", [logits], ["scores"]))

graph = helper.make_graph(
    nodes,
    "scorer",
    [
        helper.make_tensor_value_info("history", TensorProto.INT32, [events]),
        helper.make_tensor_value_info("matched", TensorProto.FLOAT, [events, width]),
        helper.make_tensor_value_info("pattern", TensorProto.FLOAT, [1, width]),
    ],
    [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [items])],
    list(constants.values()),
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
onnx.checker.check_model(model)
args.out.mkdir(parents=True, exist_ok=True)
onnx.save(model, args.out / "scorer.onnx")
inputs = [
    {
        "history": [event["item"] for event in user["history"][-events:]],
        "matched": matched.ravel().tolist(),
        "pattern": pattern.tolist(),
    }
    for user, matched, pattern in zip(users, stored["history.matched"].reshape(len(users), events, width), stored["patterns"])
]
(args.out / "viewers.json").write_text(json.dumps({"events": events, "width": width, "viewers": inputs}))
runtime = importlib.util.find_spec("onnxruntime")
versions = {"onnx": onnx.__version__, "onnxruntime": importlib.metadata.version("onnxruntime") if runtime else None}
print(json.dumps({**versions, "numpy": np.__version__, "nodes": len(nodes), "bytes": (args.out / "scorer.onnx").stat().st_size}))
