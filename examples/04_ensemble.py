"""Combine what several models said on one grid, calibrate it, and choose a threshold. Here the models are made up."""

import numpy as np
from ichdet import ensemble, evaluate

random = np.random.default_rng(0)
truth = random.integers(0, 2, 400)
logits = np.stack([random.normal((truth - 0.5) * skill, 1) for skill in (3.0, 2.0, 0.5)], axis=1)
said = 1 / (1 + np.exp(-logits))  # (case, member)

fit, check = slice(0, 200), slice(200, 400)
print("weights by least squares:", ensemble.fit_nonnegative(said[fit], truth[fit]).round(2))
stacking = ensemble.fit_stacking(said[fit], truth[fit])
maps = [np.stack([1 - p, p]).reshape(2, 400, 1, 1).astype(np.float32) for p in said.T]  # (class, z, y, x)
for rule in ("mean", "logits", "union"):
    combined = ensemble.combine(maps, rule)[1].ravel()
    print(f"{rule:7} ROC area {evaluate.roc_auc(truth[check], combined[check]):.3f}")
stacked = ensemble.combine(maps, "stacking", stacking.weights, intercept=stacking.intercept)[1].ravel()

mean = ensemble.combine(maps, "mean")[1].ravel()
calibrator = ensemble.fit_calibrator("platt", mean[fit], truth[fit])
for name, p in (("mean", mean), ("calibrated", calibrator(mean)), ("stacked", stacked)):
    print(f"{name:10} calibration error {evaluate.calibration(truth[check], p[check]).expected_error:.3f}")
threshold, counts = evaluate.choose_threshold(truth[fit], calibrator(mean[fit]), sensitivity=0.95)
print(f"threshold {threshold:.3f}: {counts.sensitivity.value:.2f} of the positive cases found")
