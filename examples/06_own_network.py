"""A network of your own, in Python: asked about a study beside the models that ichdet knows, and explained."""

import sys

import ichdet
import torch
from ichdet.nn import Member, SliceClassifier, SliceExplainer


class Small(torch.nn.Module):
    """Any torch.nn.Module; in two parts, so that Grad-CAM finds its features. Yours would be trained."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 7, 8), torch.nn.ReLU(), torch.nn.Conv2d(8, 16, 3, 2))
        self.head = torch.nn.Linear(16, 2)

    def forward_features(self, images):
        return self.layers(images)

    def forward_head(self, features):
        return self.head(features.mean((2, 3)))

    def forward(self, images):
        return self.forward_head(self.forward_features(images))


stack = ichdet.read_study(sys.argv[1]).stack
own = Member(Small().eval(), "s1", name="small")  # it reads and answers what the bundle s1 does
together = SliceClassifier([own, "s1"])  # the mean of both
print("likeliest slice:", max(together.scores(stack), key=lambda s: s.probability))
for method in ("grad-cam", "integrated-gradients", "occlusion"):
    found = SliceExplainer(own, steps=8, occlusion_size=64, occlusion_stride=64)(stack, [len(stack.hu) // 2], method)[0]
    print(f"{method}: logit {found.score:.3f}, map {tuple(found.map.shape)} up to {found.map.max():.3f}")
