"""Networks, and the models that are made of them: segmenters, classifiers, detectors, ensembles, explainers.

Needs the part of ichdet that is built with LibTorch. Importing `ichdet` alone does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import torch

from . import _html, _nn
from ._nn import *  # noqa: F401,F403
from ._nn import Network, _Part, _Plain, _prepare_plain

_html.attach(_nn)


class _Tree(torch.nn.Module):
    """A part of a Module: parameters and buffers of the C++ module, under its names. It cannot be called by itself."""

    def __init__(self, part: _Part) -> None:
        super().__init__()
        self._part = part
        for name, tensor in part.parameters():
            tensor.__class__ = torch.nn.Parameter  # the C++ module's own tensor stays what it is
            self.register_parameter(name, cast(torch.nn.Parameter, tensor))
        for name, tensor in part.buffers():
            self.register_buffer(name, tensor)
        for name, child in part.children():
            self.add_module(name, _Tree(child))
        self.training = part.training

    def train(self, mode: bool = True) -> Any:
        """Training or evaluation, of the C++ module too."""
        super().train(mode)
        self._part.train(mode)
        return self

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Any:
        """What to(), double() and the like do; the buffers stay the C++ module's own tensors."""
        own = dict(self._buffers)
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, tensor in own.items():
            changed = self._buffers[name]
            if tensor is not None and changed is not None and changed is not tensor:
                tensor.data = changed
                self._buffers[name] = tensor
        return self

    def _get_name(self) -> str:
        return self._part.name.removeprefix("torch::nn::").removeprefix("ichdet::models::").removesuffix("Impl")

    def extra_repr(self) -> str:
        """The shapes of its own parameters."""
        return ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in self._parameters.items() if tensor is not None)

    def _held(self) -> Iterator[tuple[dict[str, Any], str, Any]]:
        for tree in self.modules():
            for place in (tree._parameters, tree._buffers, tree._modules):
                for name, value in place.items():
                    yield place, name, value


class Module(_Tree):
    """A network of ichdet as a torch.nn.Module, to train it in Python.

    Parameters and buffers are the C++ module's own tensors, under the names of the public implementation that the
    network follows; the forward pass runs in C++, without the interpreter's lock, and autograd, torch.optim, autocast,
    state_dict and load_state_dict, train and eval, to, deepcopy and pickle work as of any module. What is inside cannot
    be called by itself, replaced or hooked: a layer for another number of classes comes with `num_classes`. Dropout and
    stochastic depth, which some of the public implementations have, are left out.

    Parameters
    ----------
    architecture : str
        One of `architectures()`.
    options : dict
        Those of the architecture: `create` lists them.

    Raises
    ------
    ichdet.Error
        weights: no such architecture or option. shape: an input that the network does not take.

    Examples
    --------
    >>> model = ichdet.nn.Module("UNet3D", {"channels": [4, 8], "strides": [2]}).train()
    >>> patches = torch.randn(2, 1, 8, 8, 8)
    >>> classes = (patches[:, 0] > 0).long()
    >>> optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    >>> losses = []
    >>> for step in range(3):
    ...     loss = ichdet.train.cross_entropy(model(patches), classes)
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    ...     losses.append(loss.item())
    >>> losses[-1] < losses[0]
    True
    >>> network = model.eval().prepare()  # the same weights, made ready for inference
    >>> network(patches.numpy()).shape
    (2, 2, 8, 8, 8)
    """

    def __init__(self, architecture: str, options: dict[str, Any] | None = None) -> None:
        self._adopt(_Plain(architecture, options or {}))

    @classmethod
    def _of(cls, plain: _Plain) -> Module:
        module = cls.__new__(cls)
        module._adopt(plain)
        return module

    def _adopt(self, plain: _Plain) -> None:
        _Tree.__init__(self, plain)
        self._plain = plain
        self._own = list(self._held())

    @property
    def architecture(self) -> str:
        """As `create` knows it."""
        return self._plain.architecture

    @property
    def options(self) -> dict[str, Any]:
        """The architecture's options that were given, not their defaults."""
        return self._plain.options

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of an input (N, channels, [D,] H, W)."""
        self._expect_own()
        return self._plain.forward(x)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """What the head decides from; a classifier's last feature map, (N, C, h, w)."""
        self._expect_own()
        return self._plain.forward_features(x)

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """Features to logits."""
        self._expect_own()
        return self._plain.forward_head(features)

    def forward_deep(self, x: torch.Tensor) -> list[torch.Tensor]:
        """A segmentation network's logits of all heads, finest first, each at its own size: for deep supervision."""
        self._expect_own()
        return self._plain.forward_deep(x)

    def prepare(
        self,
        *,
        precision: str = "auto",
        engine: str = "auto",
        threads: int = 0,
        device: str = "cpu",
        memory_mib: float = 0,
        cache_folder: str | Path | None = None,
    ) -> Network:
        """A `Network` on the same weights, made ready for inference; `Network` says what the arguments mean.

        It raises once the weights have changed since; then call this, or its own `prepare`, again.
        """
        self._expect_own()
        return _prepare_plain(
            self._plain,
            precision=precision,
            engine=engine,
            threads=threads,
            device=device,
            memory_mib=memory_mib,
            cache_folder=cache_folder,
        )

    def _expect_own(self) -> None:
        """Whether all is in its place: the C++ network would go on with its own tensors."""
        for place, name, value in self._own:
            if place.get(name) is not value:
                raise RuntimeError(
                    f"{self.architecture}: {name} was replaced, but the network computes with its own; write into the "
                    "tensors in place (load_state_dict without assign, copy_)"
                )

    def __getstate__(self) -> dict[str, Any]:
        return {
            "architecture": self.architecture,
            "options": self.options,
            "tensors": self.state_dict(),
            "training": {name for name, module in self.named_modules() if module.training},
            "frozen": {name for name, parameter in self.named_parameters() if not parameter.requires_grad},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._adopt(_Plain(state["architecture"], state["options"]))
        tensors = dict(self.named_parameters()) | dict(self.named_buffers())
        for name, value in state["tensors"].items():
            tensors[name].data = value
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name not in state["frozen"])
        for name, module in self.named_modules():
            module.train(name in state["training"])
