"""Makes timm, effdet and grad-cam importable: they want names of torchvision, which does not import beside this torch.

`import oracles` before them. The names are only looked up at import; a call to one of them fails.
"""

import enum
import sys
import types

from torch import Tensor


def _nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    raise NotImplementedError("this torchvision is a stand-in")


def _batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    raise NotImplementedError("this torchvision is a stand-in")


def _remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    raise NotImplementedError("this torchvision is a stand-in")


def _absent(name):
    return type(name, (), {"__init__": lambda self, *a, **k: _nms(None, None, 0.0)})


def _module(name, *absent, **names):
    module = types.ModuleType(name)
    vars(module).update({n: _absent(n) for n in absent}, **names)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


_InterpolationMode = enum.Enum("InterpolationMode", "NEAREST BILINEAR BICUBIC BOX HAMMING LANCZOS")

if "torchvision" not in sys.modules:
    _module("torchvision", __version__="0.0", __path__=[])
    _module("torchvision.datasets", "CIFAR100", "CIFAR10", "MNIST", "KMNIST", "FashionMNIST", "ImageFolder")
    _module("torchvision.models")
    _module("torchvision.models.feature_extraction", "get_graph_node_names", "create_feature_extractor")
    _module("torchvision.ops")
    _module("torchvision.ops.boxes", nms=_nms, batched_nms=_batched_nms, remove_small_boxes=_remove_small_boxes)
    _module("torchvision.ops.misc", "FrozenBatchNorm2d")
    _module("torchvision.transforms", "Compose", "Normalize", "ToTensor")
    _module("torchvision.transforms.functional", "resize", InterpolationMode=_InterpolationMode)
    _module("torchvision.utils", "save_image")
