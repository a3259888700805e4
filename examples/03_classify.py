"""Ask a slice classifier about every slice, decide about the patient, see where the network looked. Stage by stage."""

import sys

import ichdet
from ichdet.nn import SliceClassifier

stack = ichdet.read_study(sys.argv[1]).stack
classifier = SliceClassifier([sys.argv[2]])
result = classifier(stack)
for percent in (5, 7.5, 10):  # the same scores under other rules
    rule = ichdet.CaseRule("percent", percent=percent, slice_threshold=classifier.rule.slice_threshold)
    print(f"{percent} %: {ichdet.decide(result.slices, rule).rule}")
likeliest = sorted(result.slices, key=lambda s: -s.probability)[:6]
maps = classifier.heat_maps(stack, [s.index for s in likeliest])
classifier.write(stack, result, sys.argv[3], maps)
