"""What `import ichdet` shows: every public function and class, and where it was found."""

import importlib
import inspect
import re

MODULES = ("ichdet", "ichdet.ensemble", "ichdet.evaluate", "ichdet.interop", "ichdet.plot", "ichdet.sklearn",
           "ichdet.nn", "ichdet.attribution", "ichdet.train", "ichdet.viewer")  # fmt: skip


def public(module):
    """Functions and classes of ichdet's own under a module, by name."""
    names = getattr(module, "__all__", [name for name in dir(module) if not name.startswith("_")])
    for name in names:
        value = getattr(module, name)
        if callable(value) and (getattr(value, "__module__", None) or "ichdet").startswith("ichdet"):
            yield name, value


def surface():
    """(name, value) of each public function and class, once."""
    found = {}
    for place in MODULES:
        for name, value in public(importlib.import_module(place)):
            found.setdefault(id(value), (f"{place}.{name}", value))
    return sorted(found.values(), key=lambda item: item[0])


def members(cls):
    """(name, value) of a class's own public methods and properties."""
    for name, value in vars(cls).items():
        if not name.startswith("_") and (callable(value) or isinstance(value, (property, staticmethod, classmethod))):
            yield name, getattr(value, "__func__", value)


def prose(value):
    """The docstring without the signatures that pybind11 writes into it."""
    text = inspect.getdoc(value) or ""
    lines = [line for line in text.splitlines() if not re.match(r"\s*(\d+\. )?\w+\(.*\)( -> .*)?$", line)]
    return "\n".join(line for line in lines if line.strip() and line.strip() != "Overloaded function.")
