"""What a case is: one task that several programs do with the same input."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class LeftOut(Exception):
    """A contender that cannot run here; its text says why."""


@dataclass(frozen=True)
class Work:
    """What the task cannot do without: operations of matrix products, and bytes moved once from and to memory."""

    flop: float = 0
    bytes: float = 0


@dataclass(frozen=True)
class Contender:
    """A call that does the task once and gives its output; `part` of the task where the whole would take hours."""

    call: Callable[[], Any]
    note: str = ""
    part: float = 1


Open = Callable[[Path, int], "Contender | Callable[[], Any]"]


@dataclass
class Case:
    """One task. Functions import what they need themselves: each contender lives in a process of its own."""

    name: str  # "group/case", of small letters
    title: str  # what is done with how much, in a line
    prepare: Callable[[Path], None]  # makes inputs and weights in a folder
    compare: Callable[[dict[str, Any]], dict[str, float]]  # outputs by contender to differences; raises AssertionError
    work: Work | Callable[[Path], Work] = Work()
    precision: str = "float32"  # whose rate of products the work is held against
    threads: tuple[int, ...] = (1,)  # 0: all cores
    quick: bool = False  # also in `make bench-quick` and `make bench-check`
    items: float = 1  # slices, studies: what "each" means
    contenders: dict[str, Open] = field(default_factory=dict)

    def contender(self, name: str) -> Callable[[Open], Open]:
        """Adds what opens a contender: a function of the folder and the number of threads. Ours begin with "ichdet";
        the first of them is the one that peers are held against."""

        def add(open_contender: Open) -> Open:
            self.contenders[name] = open_contender
            return open_contender

        return add

    @property
    def ours(self) -> str:
        return next(name for name in self.contenders if name.startswith("ichdet"))


def all_cases() -> dict[str, Case]:
    """The cases of benchmarks/cases, by name, in the order of their files."""
    import cases

    found: dict[str, Case] = {}
    for module in sorted(pkgutil.iter_modules(cases.__path__), key=lambda m: m.name):
        for case in importlib.import_module(f"cases.{module.name}").CASES:
            assert case.name not in found, case.name
            found[case.name] = case
    return found
