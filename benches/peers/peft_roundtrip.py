"""Adapters and merged models between curec and Python's peft and transformers, both ways. Prints what it compares.

    pip install peft transformers
    python benches/peers/peft_roundtrip.py target/release/curec

Trains a tiny model and an adapter with curec, then compares log-probabilities of the same tokens:
curec with its adapter = peft with curec's adapter = transformers with curec's merged folder = curec with the adapter that
peft wrote again; and an adapter that peft made = curec with it.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import peft
import torch
import transformers

curec = str(Path(sys.argv[1]).resolve())
work = Path(tempfile.mkdtemp())
IDS = [[5, 17, 300, 41, 2, 99, 123, 7], [400, 3, 3, 8, 210]]
TOLERANCE = 1e-3


def run(*arguments):
    subprocess.run([curec, *map(str, arguments)], check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def by_curec(model, adapter=None):
    lines = work / "in.jsonl"
    lines.write_text("".join(json.dumps({"ids": ids}) + "\n" for ids in IDS))
    more = ["--adapter", str(adapter)] if adapter else []
    command = [curec, "llm", "score", "--model", str(model), "--input", str(lines), *more]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.loads(line)["logprobs"][1:] for line in out.splitlines()]


def by_torch(model):
    found = []
    for ids in IDS:
        ids = torch.tensor([ids])
        with torch.no_grad():
            logits = model(input_ids=ids).logits[0, :-1]
        found.append(torch.log_softmax(logits, -1).gather(1, ids[0, 1:, None])[:, 0].tolist())
    return found


def gap(one, other):
    return max(abs(a - b) for x, y in zip(one, other) for a, b in zip(x, y))


def compare(name, one, other, apart=False):
    found = gap(one, other)
    good = found > 1e-2 if apart else found < TOLERANCE
    print(f"{'ok ' if good else 'BAD'} {name}: largest difference {found:.2e}")
    if not good:
        sys.exit(1)


print(f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
run("run", "--preset", "tiny", "--until", "warmup", "--out", work / "base")
base = work / "base/warmup/model"
# The correction's rewards differ whatever such a model writes; the alignment's would all be 0.
run("run", "--preset", "tiny", "--model", base, "--until", "correct", "--out", work / "tuned", "--set", "llm.lora_rank=4",
    "--set", "correct.learning_rate=0.05")
adapter = work / "tuned/correct/adapter"


def load():
    return transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()


ours = by_curec(base, adapter)
compare("curec's base in transformers", by_curec(base), by_torch(load()))
compare("the adapter does something", by_curec(base), ours, apart=True)
model = peft.PeftModel.from_pretrained(load(), adapter).eval()
compare("curec's adapter in peft", ours, by_torch(model))
model.save_pretrained(work / "again")
compare("the same adapter, written by peft, in curec", ours, by_curec(base, work / "again"))
run("llm", "merge", "--model", base, "--adapter", adapter, "--out", work / "merged")
merged = transformers.AutoModelForCausalLM.from_pretrained(work / "merged").eval()
compare("curec's merged folder in transformers", ours, by_torch(merged))
tokenizer = transformers.AutoTokenizer.from_pretrained(work / "merged")
print("ok  its tokenizer:", tokenizer.decode(tokenizer("a quiet film")["input_ids"]))

for name, options in {
    "rank 3 on q and v": {"r": 3, "target_modules": ["q_proj", "v_proj"]},
    "rsLoRA on all layers": {
        "r": 8, "use_rslora": True,
        "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    },
}.items():
    torch.manual_seed(3)
    config = peft.LoraConfig(lora_alpha=16, task_type="CAUSAL_LM", init_lora_weights=False, **options)
    made = peft.get_peft_model(load(), config).eval()
    folder = work / name.replace(" ", "-")
    made.save_pretrained(folder)
    compare(f"peft's adapter in curec, {name}", by_torch(made), by_curec(base, folder))
