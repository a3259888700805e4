"""See what spoke for blood on the likeliest slices: XRAI's regions, their area and their mean HU."""

import sys

import ichdet
from ichdet.nn import SliceClassifier, SliceExplainer

stack = ichdet.read_study(sys.argv[1]).stack
scores = SliceClassifier([sys.argv[2]]).scores(stack)
likeliest = sorted(scores, key=lambda s: -s.probability)[:2]
explain = SliceExplainer([sys.argv[2]], steps=20, quadrature="gauss-legendre")
for found in explain(stack, [s.index for s in likeliest], "xrai"):
    top = explain.on_slices(stack, found.regions.top(0.05).float()) > 0.5  # the best 5 % of the network's image
    print(f"slice {found.slice}: P {found.probability:.2f}, {top.sum()} pixels, {stack.hu[found.slice][top].mean():.0f} HU; "
          f"adds up to {found.sum:.2f} of {found.difference:.2f}")
