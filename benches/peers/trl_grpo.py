"""One GRPO step of TRL at the sizes of `curec bench grpo`, on CPU threads, float32. Prints one JSON object.

    pip install trl==1.16.0
    python benches/peers/trl_grpo.py --threads 2

Random weights, random prompts, completions of full length (the end token is forbidden), one optimiser step on all weights
per batch of samples. Times are wall-clock between optimiser steps; the first step is not counted.
"""

import argparse
import json
import os
import resource
import statistics
import tempfile
import time

parser = argparse.ArgumentParser()
for name, value in [
    ("prompts", 4), ("completions", 8), ("prompt-tokens", 256), ("new-tokens", 64), ("steps", 7), ("threads", 2),
    ("vocabulary", 2048), ("hidden", 192), ("intermediate", 512), ("layers", 4), ("heads", 6), ("kv-heads", 2),
]:
    parser.add_argument(f"--{name}", type=int, default=value)
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(args.threads)
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"

import random  # noqa: E402

import torch  # noqa: E402
import transformers  # noqa: E402
import trl  # noqa: E402
from datasets import Dataset  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, TrainerCallback  # noqa: E402
from trl import GRPOConfig, GRPOTrainer  # noqa: E402

torch.set_num_threads(args.threads)
torch.manual_seed(1)
random.seed(1)

words = {f"w{index}": index for index in range(args.vocabulary)}
tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))
tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, pad_token="w0", eos_token="w1", unk_token="w0", padding_side="left"
)

model = Qwen2ForCausalLM(
    Qwen2Config(
        vocab_size=args.vocabulary, hidden_size=args.hidden, intermediate_size=args.intermediate,
        num_hidden_layers=args.layers, num_attention_heads=args.heads, num_key_value_heads=args.kv_heads,
        tie_word_embeddings=True, max_position_embeddings=args.prompt_tokens + args.new_tokens,
        rms_norm_eps=1e-6, bos_token_id=None, eos_token_id=1, pad_token_id=0,
    )
)


def prompt():
    return " ".join(f"w{random.randrange(2, args.vocabulary)}" for _ in range(args.prompt_tokens))


steps = args.steps + 1
data = Dataset.from_dict({"prompt": [prompt() for _ in range(args.prompts * steps)]})
lengths = []


def reward(completion_ids, **_):
    lengths.extend(len(ids) for ids in completion_ids)
    return [random.random() for _ in completion_ids]


class Clock(TrainerCallback):
    def __init__(self):
        self.last, self.seconds = None, []

    def on_step_begin(self, *_, **__):
        if self.last is None:
            self.last = time.perf_counter()

    def on_step_end(self, *_, **__):
        now = time.perf_counter()
        self.seconds.append(now - self.last)
        self.last = now


clock = Clock()
batch = args.prompts * args.completions
config = GRPOConfig(
    output_dir=tempfile.mkdtemp(), use_cpu=True, bf16=False, fp16=False, per_device_train_batch_size=batch,
    gradient_accumulation_steps=1, gradient_checkpointing=False, num_generations=args.completions, max_steps=steps,
    max_completion_length=args.new_tokens, temperature=1.0, learning_rate=1e-6, beta=0.0, num_iterations=1,
    report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True, seed=1,
    generation_kwargs={"min_new_tokens": args.new_tokens},
)
trainer = GRPOTrainer(
    model=model, reward_funcs=reward, args=config, train_dataset=data, processing_class=tokenizer, callbacks=[clock]
)
trainer.train()
assert set(lengths) == {args.new_tokens}, f"completions are not of full length: {set(lengths)}"
measured = clock.seconds[1:]
print(json.dumps({
    "peer": f"TRL {trl.__version__}, transformers {transformers.__version__}, PyTorch {torch.__version__}",
    "step": statistics.median(measured), "fastest": min(measured), "slowest": max(measured), "steps": len(measured),
    "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
}))
