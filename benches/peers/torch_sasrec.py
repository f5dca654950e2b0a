"""Training speed of a plain PyTorch SASRec with cross-entropy over the whole catalogue, on CPU threads. Prints one JSON object.

    pip install torch
    python benches/peers/torch_sasrec.py --data ../shared/data/ml-1m --threads 2

The counterpart of `curec bench sasrec`: the newest `--length` inputs of each user's training events (all but the last two), every
position a target. Histories are padded to `--length`, as SASRec's implementations do. `--select` forms logits of real
positions only; without it padding is scored and ignored by the loss.
"""

import argparse
import json
import os
import resource
import statistics
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True)
parser.add_argument("--select", action="store_true")
for name, value in [
    ("width", 64), ("layers", 2), ("heads", 2), ("feed-forward", 64), ("length", 200), ("batch", 128), ("steps", 8), ("threads", 2),
]:
    parser.add_argument(f"--{name}", type=int, default=value)
parser.add_argument("--dropout", type=float, default=0.2)
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(args.threads)

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

torch.set_num_threads(args.threads)
torch.manual_seed(1)

index, histories = {}, []
for line in (Path(args.data) / "sasrec_sequences.txt").read_text().splitlines():
    items = [index.setdefault(item, len(index) + 1) for item in line.split()[1:]]
    histories.append(items[:-2][-(args.length + 1):])
histories = [items for items in histories if len(items) > 1]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        d = args.width
        self.norms = nn.ModuleList([nn.LayerNorm(d), nn.LayerNorm(d)])
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.expand, self.contract = nn.Linear(d, args.feed_forward), nn.Linear(args.feed_forward, d)
        self.drop = nn.Dropout(args.dropout)

    def forward(self, x):
        rows, length, d = x.shape
        heads = self.qkv(self.norms[0](x)).view(rows, length, 3, args.heads, d // args.heads).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(*heads, is_causal=True)
        x = x + self.drop(self.out(attended.transpose(1, 2).reshape(rows, length, d)))
        return x + self.drop(self.contract(F.relu(self.expand(self.norms[1](x)))))


class SASRec(nn.Module):
    def __init__(self):
        super().__init__()
        self.item = nn.Embedding(len(index) + 1, args.width, padding_idx=0)
        self.position = nn.Embedding(args.length, args.width)
        self.blocks = nn.ModuleList([Block() for _ in range(args.layers)])
        self.norm, self.drop = nn.LayerNorm(args.width), nn.Dropout(args.dropout)

    def forward(self, items):
        x = self.drop(self.item(items) + self.position.weight[: items.shape[1]])
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


model = SASRec()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
order = torch.randperm(len(histories)).tolist()


def batches():
    while True:
        for start in range(0, len(order) - args.batch + 1, args.batch):
            rows = [histories[at] for at in order[start: start + args.batch]]
            items = torch.zeros(args.batch, args.length + 1, dtype=torch.long)
            for row, history in enumerate(rows):
                items[row, : len(history)] = torch.tensor(history)
            yield items


seconds, targets = [], []
stream = batches()
for step in range(args.steps + 1):
    items = next(stream)
    start = time.perf_counter()
    taken = items[:, 1:]
    states = model(items[:, :-1])
    if args.select:
        there = taken > 0
        states, taken = states[there], taken[there]
    logits = states @ model.item.weight.T
    loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), taken.reshape(-1), ignore_index=0)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step > 0:  # the first one warms up
        seconds.append(time.perf_counter() - start)
        targets.append(int((items[:, 1:] > 0).sum()))

rates = [count / time for count, time in zip(targets, seconds)]
epoch = sum(len(history) - 1 for history in histories)
rate = statistics.median(rates)
print(json.dumps({
    "targets_per_second": rate, "epoch_targets": epoch, "epoch_seconds": epoch / rate,
    "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    "torch": torch.__version__, "arguments": vars(args),
}))
