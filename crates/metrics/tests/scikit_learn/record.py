"""Records what scikit-learn says of a few samples, as the constants of recorded.rs.

Run: python record.py > recorded.rs
"""

import numpy as np
from sklearn import __version__, metrics

rng = np.random.default_rng(0)
N, CLASSES = 60, 4


def constant(name, kind, values):
    values = list(values)
    print(f"pub(crate) const {name}: [{kind}; {len(values)}] = {values!r};")


def number(name, value):
    print(f"pub(crate) const {name}: f64 = {float(value)!r};")


# Eighths, so that scores are equal here and there; class 3 is never the label.
labels = rng.integers(0, CLASSES - 1, N)
logits = (rng.integers(-16, 17, (N, CLASSES)) / 8 + 1.5 * np.eye(CLASSES)[labels]).astype(np.float32)
exps = np.exp(logits.astype(np.float64))
probabilities = (exps / exps.sum(1, keepdims=True)).astype(np.float32)
predicted = logits.argmax(1)

print(f"//! What scikit-learn {__version__} said: written by record.py.\n")
constant("LABELS", "u32", labels.tolist())
constant("LOGITS", "f32", logits.ravel().tolist())
constant("PROBABILITIES", "f32", [float(str(p)) for p in probabilities.ravel()])
number("ACCURACY", metrics.accuracy_score(labels, predicted))
# Distinct scores: of equal ones scikit-learn prefers the last.
distinct = logits + np.arange(CLASSES)[::-1] * 1e-3
number("TOP_2", metrics.top_k_accuracy_score(labels, distinct, k=2, labels=range(CLASSES)))
constant("CONFUSION", "u64", metrics.confusion_matrix(labels, predicted, labels=range(CLASSES)).ravel().tolist())
for name, average in [("CLASSES", None), ("MACRO", "macro"), ("MICRO", "micro"), ("WEIGHTED", "weighted")]:
    scores = metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(CLASSES), average=average, zero_division=0
    )[:3]
    constant(name, "f64", np.ravel(scores).tolist())
number("LOG_LOSS", metrics.log_loss(labels, exps / exps.sum(1, keepdims=True), labels=range(CLASSES)))

binary = (labels == 1).astype(int)
scores = logits[:, 1]
constant("BINARY", "u32", binary.tolist())
number("AUC", metrics.roc_auc_score(binary, scores))
fpr, tpr, thresholds = metrics.roc_curve(binary, scores, drop_intermediate=False)
constant("FPR", "f64", fpr.tolist())
constant("TPR", "f64", tpr.tolist())
constant("THRESHOLDS", "f32", thresholds.tolist()[1:])

# Not in scikit-learn: the expected calibration error by its formula.
confidence, right = probabilities.max(1).astype(np.float64), predicted == labels
bins = np.ceil(confidence * 10).astype(int)
number("ECE", sum((bins == b).mean() * abs(right[bins == b].mean() - confidence[bins == b].mean()) for b in set(bins)))

targets = rng.normal(size=N).round(3).astype(np.float32)
predictions = (targets + rng.normal(size=N).round(3) / 2).astype(np.float32)
constant("TARGETS", "f32", [float(str(t)) for t in targets])
constant("PREDICTIONS", "f32", [float(str(p)) for p in predictions])
number("MAE", metrics.mean_absolute_error(targets.astype(np.float64), predictions.astype(np.float64)))
number("MSE", metrics.mean_squared_error(targets.astype(np.float64), predictions.astype(np.float64)))
number("R2", metrics.r2_score(targets.astype(np.float64), predictions.astype(np.float64)))

# Several labels, of which the last is never there.
yes = rng.integers(0, 2, (N, CLASSES)) * (np.arange(CLASSES) < 3)
scores = (rng.integers(-16, 17, (N, CLASSES)) / 8 + yes).astype(np.float32)
taken = scores >= 0.25
constant("YES", "u32", yes.ravel().tolist())
constant("YES_SCORES", "f32", scores.ravel().tolist())
number("YES_HAMMING", metrics.hamming_loss(yes, taken))
number("YES_EXACT", metrics.accuracy_score(yes, taken))
constant("YES_COUNTS", "u64", metrics.multilabel_confusion_matrix(yes, taken).ravel().tolist())
for name, average in [("CLASSES", None), ("MACRO", "macro"), ("MICRO", "micro"), ("WEIGHTED", "weighted")]:
    values = metrics.precision_recall_fscore_support(yes, taken, average=average, zero_division=0)[:3]
    constant(f"YES_{name}", "f64", np.ravel(values).tolist())
