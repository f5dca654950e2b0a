"""Ranking, click and neighbour numbers by other people's code, for trainer/tests/reference.rs.

    python3 -m venv .venv && .venv/bin/pip install numpy==2.4.6 scikit-learn==1.9.1 ranx==0.3.21
    .venv/bin/python trainer/tests/reference/make_reference.py > trainer/tests/reference/reference.json

Metrics of ranked lists are ranx's; AUC, log-loss and cosines are scikit-learn's. What no library has is written from its
definition in another way than the crate's: pessimistic ranks by sorting, Gini by the mean absolute difference.
"""

import json

import numpy as np
from ranx import Qrels, Run, evaluate
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.metrics.pairwise import cosine_similarity

USERS, ITEMS = 24, 70
random = np.random.default_rng(20261128)


def ranking(seen_filtered):
    # Few different scores: many ties.
    scores = random.integers(-8, 9, (USERS, ITEMS)) / 4
    histories = [random.choice(ITEMS, int(random.integers(2, 12)), replace=False) for _ in range(USERS)]
    targets = [int(random.integers(0, ITEMS)) for _ in range(USERS)]
    run, qrels, shown = {}, {}, np.zeros(ITEMS, int)
    for user in range(USERS):
        target, row = targets[user], scores[user]
        gone = set(histories[user].tolist()) - {target} if seen_filtered else set()
        kept = [item for item in range(ITEMS) if item not in gone]
        # Pessimistic: among equal scores the target comes last. The list that is shown has ties by index.
        order = sorted(kept, key=lambda item: (-row[item], item == target))
        run[f"u{user}"] = {f"i{item}": float(len(order) - place) for place, item in enumerate(order)}
        qrels[f"u{user}"] = {f"i{target}": 1}
        for item in sorted(kept, key=lambda item: (-row[item], item))[:10]:
            shown[item] += 1
    names = {"recall@5": "hit_rate@5", "recall@10": "hit_rate@10", "recall@20": "hit_rate@20", "ndcg@5": "ndcg@5",
             "ndcg@10": "ndcg@10", "ndcg@20": "ndcg@20", "mrr": "mrr", "hr@50": "hit_rate@50"}
    found = evaluate(Qrels(qrels), Run(run), list(names.values()))
    differences = np.abs(shown[:, None] - shown[None, :]).mean()
    return {
        "seen_items": "filtered" if seen_filtered else "kept",
        "scores": scores.tolist(),
        "histories": [history.tolist() for history in histories],
        "targets": targets,
        "metrics": {own: float(found[theirs]) for own, theirs in names.items()},
        "coverage": float((shown > 0).mean()),
        "gini": float(differences / (2 * shown.mean())),
    }


def clicks():
    labels = random.integers(0, 2, 300)
    logits = np.round(random.normal(0, 1.5, 300) + labels, 1)  # rounded: ties
    probabilities = 1 / (1 + np.exp(-logits))
    return {
        "logits": logits.tolist(),
        "labels": labels.tolist(),
        "auc": float(roc_auc_score(labels, logits)),
        "log_loss": float(log_loss(labels, probabilities)),
    }


def neighbours():
    taken = (random.random((20, 12)) < 0.35).astype(int)
    taken[:, 0] |= taken.sum(1) < 2  # everybody has something to train on
    cosines = cosine_similarity(taken.T)
    np.fill_diagonal(cosines, 0)
    # Each user's score of every item over all neighbours.
    return {"taken": taken.tolist(), "scores": (taken @ cosines).tolist()}


print(json.dumps({"rankings": [ranking(False), ranking(True)], "clicks": clicks(), "neighbours": neighbours()}))
