"""A traced network of ichdet as torch.export's ExportedProgram.

    python torch_export.py network.pt network.pt2 1 3 512 512

Needs torch alone. The operators of the trace are called one by one while torch.export watches; weights become buffers.
What was written is read again and has to answer as the trace does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch


class Traced(torch.nn.Module):
    """The trace's operators in their order."""

    def __init__(self, graph: Any) -> None:
        super().__init__()
        self.result = next(graph.outputs()).debugName()
        self.input = list(graph.inputs())[-1].debugName()
        self.constants: dict[str, Any] = {}  # but tensors
        self.weights: dict[str, str] = {}  # to the buffers that they are
        self.steps: list[tuple[str, list[str], dict[str, str], list[str]]] = []
        for node in graph.nodes():
            names = [value.debugName() for value in node.outputs()]
            if node.kind() == "prim::Constant":
                self.keep(names[0], node.output().toIValue())
            else:
                self.steps.append((node.kind(), *self.arguments(node), names))

    def keep(self, name: str, value: Any) -> None:
        if isinstance(value, torch.Tensor):
            self.weights[name] = f"weight_{len(self.weights)}"
            self.register_buffer(self.weights[name], value.detach())
        else:
            self.constants[name] = value

    @staticmethod
    def arguments(node: Any) -> tuple[list[str], dict[str, str]]:
        """Names of the positional arguments, and those that the schema takes by keyword alone."""
        names = [value.debugName() for value in node.inputs()]
        if not node.kind().startswith("aten::"):
            return names, {}
        parts = torch._C.parse_schema(node.schema()).arguments
        keywords = {part.name: name for part, name in zip(parts, names) if part.kwarg_only}
        return [name for part, name in zip(parts, names) if not part.kwarg_only], keywords

    def forward(self, x: torch.Tensor) -> Any:
        values: dict[str, Any] = {self.input: x}

        def get(name: str) -> Any:
            if name in self.weights:
                return getattr(self, self.weights[name])
            return values[name] if name in values else self.constants[name]

        for kind, positional, keywords, results in self.steps:
            given = [get(name) for name in positional]
            if kind == "prim::ListConstruct":
                made = given
            elif kind == "prim::ListUnpack":
                made = given[0]
            else:
                operator = getattr(torch.ops.aten, kind.removeprefix("aten::"))
                made = operator(*given, **{key: get(name) for key, name in keywords.items()})
            if len(results) == 1:
                values[results[0]] = made
            else:
                values.update(zip(results, made))
        return values[self.result]


def main() -> None:
    source, target = map(Path, sys.argv[1:3])
    shape = [int(size) for size in sys.argv[3:]]
    traced: Any = torch.jit.load(source).eval()  # type: ignore[no-untyped-call]
    graph = traced.graph
    torch._C._jit_pass_inline(graph)
    example = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        program = torch.export.export(Traced(graph).eval(), (example,), strict=False)
        torch.export.save(program, target)
        expected, found = traced(example), torch.export.load(target).module()(example)
    gap = (found - expected).abs().max().item() / max(expected.abs().max().item(), 1e-30)
    if not gap < 1e-4:
        target.unlink()
        raise SystemExit(f"the exported program is off by {gap:.1e} of the largest output")


if __name__ == "__main__":
    main()
