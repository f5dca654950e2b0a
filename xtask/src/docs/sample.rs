//! A made-up result file, and what a reader should see of it.

/// As `--collect` writes it, with fields that are not shown.
pub const FILE: &str = r#"{
  "name": "toy",
  "command": "cargo xtask demo",
  "machine": "Some CPU, 2 cores",
  "alignment": {
    "questions": 200, "samples": 4, "candidates": 5,
    "before": {"format": 0.9, "legal": 0.8, "correct": 0.5, "legal_greedy": 0.985, "correct_greedy": 0.51},
    "after": {"format": 1.0, "legal": 0.995, "correct": 0.625, "legal_greedy": 1.0, "correct_greedy": 0.65},
    "gain": {"mean": 0.125, "low": 0.0625, "high": 0.1875}
  },
  "results": {
    "protocol": {
      "data": "toy", "target": "test", "seen_items": "filtered", "candidates": "full catalogue", "ties": "pessimistic",
      "users": 40, "items": 80, "training_interactions": 1200, "list_length": 10, "bootstrap_samples": 1000, "seed": 7
    },
    "warnings": ["`full` is not better than `random texts`: the texts do not matter"],
    "models": [
      {"name": "popularity", "coverage": 0.2, "gini": 0.9, "metrics": {
        "recall@10": {"mean": 0.05, "low": 0.025, "high": 0.075},
        "ndcg@10": {"mean": 0.02, "low": 0.01, "high": 0.03},
        "hr@50": {"mean": 0.5, "low": 0.375, "high": 0.625},
        "mrr": {"mean": 0.01, "low": 0.005, "high": 0.015}}},
      {"name": "full", "coverage": 0.8, "gini": 0.4, "metrics": {
        "recall@10": {"mean": 0.25, "low": 0.125, "high": 0.375},
        "ndcg@10": {"mean": 0.12, "low": 0.06, "high": 0.18},
        "hr@50": {"mean": 0.75, "low": 0.625, "high": 0.875}}}
    ],
    "comparisons": [
      {"metric": "recall@10", "left": "full", "right": "popularity", "difference": {"mean": 0.2, "low": 0.1, "high": 0.3}},
      {"metric": "ndcg@10", "left": "full", "right": "popularity", "difference": {"mean": 0.1, "low": 0.05, "high": 0.15}},
      {"metric": "ndcg@10", "left": "random texts", "right": "full", "difference": {"mean": -0.25, "low": -0.5, "high": 0.125}}
    ]
  },
  "stages": [
    {"stage": "data", "fingerprint": "a", "seconds": 0.5, "peak_memory_mib": 100, "version": "0.1.0"},
    {"stage": "warmup", "fingerprint": "b", "seconds": 184.5, "peak_memory_mib": 900, "version": "0.1.0"},
    {"stage": "export", "fingerprint": "c", "seconds": 12.0, "peak_memory_mib": null, "version": "0.1.0"}
  ]
}
"#;

/// Worked out by hand from [`FILE`].
pub const BLOCK: &str = "
### toy

`cargo xtask demo`: Some CPU, 2 cores; 3 min 17 s (data 0.5 s, warmup 3 min 04 s, export 12 s); at most 900 MiB of memory.

> **Note:** that `full` ranks better than `random texts` is not shown.

Full ranking of 80 items for 40 users (test event, items taken before are filtered, ties count against the model); 1200 training interactions; seed 7. In brackets: 95 % bootstrap intervals over users.

| model | Recall@10 | NDCG@10 | HR@50 |
|---|---:|---:|---:|
| popularity | 0.0500 [0.0250, 0.0750] | 0.0200 [0.0100, 0.0300] | 0.5000 [0.3750, 0.6250] |
| full | 0.2500 [0.1250, 0.3750] | 0.1200 [0.0600, 0.1800] | 0.7500 [0.6250, 0.8750] |

Paired differences in NDCG@10: full − popularity +0.1000 [+0.0500, +0.1500]; full − random texts +0.2500 [-0.1250, +0.5000].

Alignment, 200 questions with 5 candidates about users the language model was never trained on, 4 answers to each at temperature 1: format 100.0 %, legal 99.5 %, correct 62.5 % (before GRPO 90.0 %, 80.0 % and 50.0 %; correct +12.5 points [+6.2, +18.8]). By the most probable tokens: legal 100.0 %, correct 65.0 % (before 98.5 % and 51.0 %).
";
