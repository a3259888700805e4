"""From slices to studies: S1's n % rule and its rivals on a cohort."""

import numpy as np

from suite.arrays import differences
from suite.case import Case, Work

STUDIES, SLICES = 10_000, 32
PERCENT, TOP = 10, 5
NEEDED = max(1, round(PERCENT / 100 * SLICES))


def write_cohort(folder):
    np.save(folder / "slices.npy", np.random.default_rng(3).beta(0.4, 1.2, (STUDIES, SLICES)))


def cohort(folder):
    return np.load(folder / "slices.npy")


def logistic():
    import ichdet

    return ichdet.fit_logistic(np.random.default_rng(0).random((50, 4)), np.arange(50, dtype=np.uint8) % 2)


def with_ichdet(kind):
    def open_contender(folder, threads):
        import ichdet

        p, offsets = cohort(folder).ravel(), np.arange(STUDIES + 1) * SLICES
        learned = {"logistic": logistic()} if kind == "logistic" else {}
        rule = ichdet.CaseRule(kind, percent=PERCENT, top=TOP, slice_threshold=0.8, **learned)
        return lambda: ichdet.case_scores(p, offsets, rule)

    return open_contender


def highest(p, count):
    return np.partition(p, SLICES - count, axis=-1)[..., SLICES - count:]


def learned():
    model = logistic()
    weights = np.asarray(model.weights)

    def score(p):
        x = np.stack([p.max(-1), highest(p, 3).mean(-1), (p > 0.5).mean(-1), p.mean(-1)], -1)
        return 1 / (1 + np.exp(-(x @ weights + model.intercept)))

    return score


# What makes each rule as NumPy states it, for one study or for many of equal length.
RULES = {
    "percent": lambda: lambda p: highest(p, NEEDED).min(-1),
    "maximum": lambda: lambda p: p.max(-1),
    "noisy-or": lambda: lambda p: 1 - np.prod(1 - p, -1),
    "top-mean": lambda: lambda p: highest(p, TOP).mean(-1),
    "logistic": learned,
}


def with_numpy(kind):
    def open_contender(folder, threads):
        p, score = cohort(folder), RULES[kind]()
        return lambda: score(p)

    return open_contender


def with_numpy_by_study(kind):
    def open_contender(folder, threads):
        p, score = cohort(folder), RULES[kind]()
        return lambda: [score(study) for study in p]

    return open_contender


TITLES = {"percent": f"the {PERCENT} % rule", "maximum": "the highest slice", "noisy-or": "noisy-or",
          "top-mean": f"the mean of the {TOP} highest", "logistic": "the learned rule"}
CASES = [Case(f"rule/{kind}", f"{title}, {STUDIES:,} studies of {SLICES} slices", write_cohort,
              lambda outputs: differences(outputs, "ichdet", 1e-12), Work(bytes=STUDIES * SLICES * 8),
              quick=kind == "percent", items=STUDIES) for kind, title in TITLES.items()]
for case, kind in zip(CASES, RULES):
    case.contender("ichdet")(with_ichdet(kind))
    case.contender("NumPy, all studies at once")(with_numpy(kind))
    case.contender("NumPy, study by study")(with_numpy_by_study(kind))
