"""What the public headers declare: functions, types, the words of enums, and arguments that have defaults."""

import re
from dataclasses import dataclass, field
from pathlib import Path

INCLUDE = Path(__file__).parents[2] / "include" / "ichdet"
OPTIONS = r"\w+(?:Options|Limits|Tolerance|Range)"  # structs that are keywords in Python
SHIFT = "\N{MUCH LESS-THAN}"  # for <<, so that < and > are brackets


@dataclass
class Headers:
    """Names are as seen from namespace ichdet: "scan", "evaluate::figures"; a method's "Geometry.same_as"."""

    places: dict[str, str] = field(default_factory=dict)  # function or type: header
    enums: dict[str, list[str]] = field(default_factory=dict)
    options: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)  # {field: (type, default)}
    calls: dict[str, list[dict[str, tuple[str, str]]]] = field(default_factory=dict)  # the same of each overload


def declarations(text):
    """(namespace, text) of each declaration at namespace scope, of a header in clang-format's layout."""
    spaces, held = [], ""
    for line in re.sub(r"/\*.*?\*/|//[^\n]*|^\s*#[^\n]*", "", text, flags=re.S | re.M).splitlines():
        opened = not held and re.match(r"namespace ([\w:]+) \{$", line)
        if opened:
            spaces += opened[1].split("::")
            depth = opened[1].count("::") + 1
        elif not held and line.rstrip() == "}":
            del spaces[-depth:]
            depth = 1
        else:
            held = f"{held}\n{line.rstrip()}".strip("\n")
            if held.endswith((";", "}")) and all(held.count(a) == held.count(b) for a, b in ("{}", "()")):
                yield "::".join(spaces).removeprefix("ichdet").removeprefix("::"), held
                held = ""


def split(text, at=","):
    """The parts between separators that stand in no brackets."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "({[<") - (sign in ")}]>")
        if sign == at and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return [" ".join(part.split()) for part in parts if part.strip()]


def between(text, start):
    """What stands in the parentheses that open at start."""
    depth = 0
    for end in range(start, len(text)):
        depth += (text[end] == "(") - (text[end] == ")")
        if not depth:
            return text[start + 1 : end]
    raise ValueError(text)


def variable(text, type_=""):
    """(name, (type, default)) of "type name = default" or "type name{default}"; "" where there is no default."""
    type_and_name, default = re.fullmatch(r"([^={]*?)\s*((?:=|\{).*)?", text).groups()
    words = type_and_name.split(" ")
    return words[-1], (" ".join(words[:-1]) or type_, (default or "").removeprefix("=").strip())


def variables(text):
    """Those of "type a = 1, b = 2"."""
    first, *more = split(text)
    name, (type_, default) = variable(first)
    return [(name, (type_, default)), *(variable(part, type_) for part in more)]


def arguments(text):
    return dict(variable(part) for part in split(text))


def fields(body):
    """The data members of a struct whose body this is."""
    body = re.sub(r"^\s*(?:enum|struct|class) .*?\};", "", body, flags=re.S | re.M)
    found = {}
    for statement in split(re.sub(r"\)(?: const)?(?: : [^{]*)? \{.*?\}$", ");", body, flags=re.M), ";"):
        if not re.match(r"(?:static|using|friend|explicit|bool operator|public|private)\b|\w+\(", statement):
            if not re.match(r"[^={]*\(", statement):
                found.update(variables(statement))
    return found


def read_headers():
    found = Headers()
    for header in sorted(INCLUDE.glob("*/*.hpp")):
        if header.parent.name == "impl":
            continue
        place = f"{header.parent.name}/{header.name}"
        for space, text in declarations(header.read_text()):
            scope = f"{space}::" if space else ""
            text = re.sub(r"^template ?<[^\n]*>\s", "", text).replace("<<", SHIFT)
            kind = re.match(r"(?:struct|class|enum class|enum) (\w+)[^;{]*\{(.*)\};$", text, flags=re.S)
            call = re.match(r"(?!using|class|struct|enum|friend|extern)[\w:<>,&*\s]*?\b(\w+)\(", text)
            if kind:
                found.places.setdefault(scope + kind[1], place)
                for name, values in re.findall(r"\benum(?: class)? (\w+)[^{;]*\{([^}]*)\}", text):
                    name = scope + (name if name == kind[1] else f"{kind[1]}::{name}")
                    found.enums[name] = [value.split(" = ")[0] for value in split(values)]
                if re.fullmatch(OPTIONS, kind[1]):
                    found.options[scope + kind[1]] = fields(kind[2])
                for method in re.finditer(r"\b(\w+)\(", kind[2]):
                    given = between(kind[2], method.end() - 1)
                    if re.search(rf"\b{OPTIONS}\b", given):
                        found.calls.setdefault(f"{scope}{kind[1]}.{method[1]}", []).append(arguments(given))
            elif call:
                found.places.setdefault(scope + call[1], place)
                found.calls.setdefault(scope + call[1], []).append(arguments(between(text, call.end() - 1)))
    return found
