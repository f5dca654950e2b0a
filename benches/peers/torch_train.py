"""Training throughput of transformers' Qwen2 in PyTorch (SDPA) without any sharing of prompts: forward, backward and one
AdamW step on sequences of prompt + completion, logits of the completions only. Prints one JSON object.

    pip install transformers
    python benches/peers/torch_train.py --threads 2

The counterpart of `curec bench grpo --prompts 32 --completions 1`: completion tokens trained per second, sampling left out.
"""

import argparse
import json
import os
import resource
import statistics
import time

parser = argparse.ArgumentParser()
for name, value in [
    ("sequences", 32), ("prompt-tokens", 256), ("new-tokens", 64), ("steps", 7), ("threads", 2),
    ("vocabulary", 2048), ("hidden", 192), ("intermediate", 512), ("layers", 4), ("heads", 6), ("kv-heads", 2),
]:
    parser.add_argument(f"--{name}", type=int, default=value)
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(args.threads)

import torch  # noqa: E402
import transformers  # noqa: E402
from transformers import Qwen2Config, Qwen2ForCausalLM  # noqa: E402

torch.set_num_threads(args.threads)
torch.manual_seed(1)
model = Qwen2ForCausalLM(
    Qwen2Config(
        vocab_size=args.vocabulary, hidden_size=args.hidden, intermediate_size=args.intermediate,
        num_hidden_layers=args.layers, num_attention_heads=args.heads, num_key_value_heads=args.kv_heads,
        tie_word_embeddings=True, max_position_embeddings=args.prompt_tokens + args.new_tokens, rms_norm_eps=1e-6,
    ),
)
model.config._attn_implementation = "sdpa"
model.train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)


def step(size):
    width = args.prompt_tokens + args.new_tokens
    ids = torch.randint(0, args.vocabulary, (args.sequences, width))
    start = time.perf_counter()
    # In parts of `size` sequences: on a CPU smaller parts stay in the cache, and the best is what counts.
    for part in ids.split(size):
        logits = model(input_ids=part, logits_to_keep=args.new_tokens + 1, use_cache=False).logits[:, :-1]
        log_probs = torch.log_softmax(logits, -1).gather(2, part[:, args.prompt_tokens:, None])
        (-log_probs.sum() / (args.sequences * args.new_tokens)).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return time.perf_counter() - start


found = {}
for size in [1, 2, 4, 8, 32]:
    if size <= args.sequences:
        step(size)
        found[size] = statistics.median(step(size) for _ in range(args.steps))
best = min(found, key=found.get)
print(json.dumps({
    "peer": f"PyTorch {torch.__version__}, transformers {transformers.__version__}", "best_part": best,
    "seconds": found[best], "by_part": found,
    "trained_per_second": args.sequences * args.new_tokens / found[best],
    "all_tokens_per_second": args.sequences * (args.prompt_tokens + args.new_tokens) / found[best],
    "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
}))
