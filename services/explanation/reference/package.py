"""Makes lime.json: masks, scores and coefficients of the real package (PyPI `lime` 0.2.0.1), for the test in lime.rs.

    python package.py > lime.json

The texts are invented; the scorer is a logistic lexicon with one interaction.
"""
import json
import math

import numpy as np
from lime import lime_text

TEXTS = [
    "Heart is enlarged. Small left effusion, no pneumothorax. Heart otherwise unremarkable; lungs clear.",
    "FINDINGS: The aorta is tortuous (see prior). No nodule, no effusion - no change. T_1 level 2.5 cm granuloma.",
    "Größe des Herzens normal, kein Erguss; Лёгкие чистые. Old fracture of rib 7, rib 8 and rib 9.",
]
WEIGHTS = {"enlarged": 1.5, "effusion": 2.0, "no": -1.2, "tortuous": 0.9, "granuloma": 1.1, "clear": -0.8,
           "Erguss": 1.4, "fracture": 1.7, "rib": 0.4, "Heart": 0.3}


def score(texts):
    out = []
    for text in texts:
        words = lime_text.IndexedString(text).inverse_vocab if text.strip() else []
        z = -0.5 + sum(WEIGHTS.get(word, 0.01 * len(word)) for word in words)
        z -= 1.3 * ("no" in words and "effusion" in words)
        p = 1 / (1 + math.exp(-z))
        out.append([1 - p, p])
    return np.array(out)


cases = []
for at, text in enumerate(TEXTS):
    for features in (4, 6, 10):
        explainer = lime_text.LimeTextExplainer(random_state=at, feature_selection="auto")
        indexed = lime_text.IndexedString(text, bow=True, split_expression=r"\W+")
        seen = []

        def watched(texts):
            seen.extend(texts)
            return score(texts)

        data, labels, distances = explainer._LimeTextExplainer__data_labels_distances(indexed, watched, 120)
        intercept, chosen, r2, _ = explainer.base.explain_instance_with_data(
            data, labels, distances, 1, features, feature_selection="auto")
        cases.append({
            "text": text,
            "features": features,
            "removed": [np.flatnonzero(row == 0).tolist() for row in data],
            "texts": seen[:3],
            "scores": labels[:, 1].tolist(),
            "intercept": float(intercept),
            "r2": float(r2),
            "chosen": [[int(word), float(weight)] for word, weight in chosen],
        })
print(json.dumps(cases, ensure_ascii=False, separators=(",", ":")))
