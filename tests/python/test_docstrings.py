"""Every public function and class says what it is and shows it, and what it shows is so."""

import doctest
import inspect
import pathlib
import tempfile

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import ichdet  # noqa: E402
from surface import members, prose, surface  # noqa: E402

NAMES = {"np": np, "torch": torch, "ichdet": ichdet, "pathlib": pathlib, "tempfile": tempfile}


@pytest.mark.parametrize("name, value", surface(), ids=lambda part: part if isinstance(part, str) else "")
def test_documented(name, value, one_thread, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert prose(value), f"{name} has no docstring"
    if inspect.isclass(value):
        bare = [member for member, of in members(value) if not prose(of)]
        assert not bare, f"{name}: no docstring: {', '.join(bare)}"
    if inspect.isclass(value) and issubclass(value, Exception):
        return
    example = doctest.DocTestParser().get_doctest(inspect.getdoc(value), dict(NAMES), name, None, None)
    assert example.examples, f"{name}: no example"
    told = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    doctest.DocTestRunner(optionflags=flags).run(example, out=told.append)
    assert not told, "".join(told)
