"""What the public headers declare: functions and types at namespace scope, and the fields of options."""

import re
from pathlib import Path

INCLUDE = Path(__file__).parents[2] / "include" / "ichdet"
FOLDERS = ("core", "io", "preprocess", "phantom", "aggregate", "evaluate", "ensemble", "bundle", "report", "nn", "models",
           "attribution", "pipeline", "train")  # fmt: skip


def statements(text):
    """(head, body) of each declaration at namespace scope; body is empty where there is none."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*|^\s*#[^\n]*", "", text, flags=re.S | re.M)
    head, body, depth, found = "", "", 0, []
    namespaces = []
    for sign in text:
        if sign == "{" and depth == 0 and re.search(r"\bnamespace\b[\w: ]*$", head.strip()):
            namespaces.append(head.strip().split()[-1])
            head = ""
        elif sign == "{":
            depth += 1
            body += sign
        elif sign == "}" and depth == 0:
            namespaces.pop()
            head = ""
        elif sign == "}":
            depth -= 1
            body += sign
            if depth == 0 and not re.match(r"\s*(template.*)?(class|struct|enum)\b", head, flags=re.S):
                found.append((" ".join(head.split()), body))
                head, body = "", ""
        elif depth > 0:
            body += sign
        elif sign == ";":
            if not {"detail", "torch", "impl"} & set("::".join(namespaces).split("::")):
                found.append((" ".join(head.split()), body))
            head, body = "", ""
        else:
            head += sign
    return found


def declared():
    """{name: header} of functions and of types, and {options struct: fields}."""
    functions, types, options = {}, {}, {}
    for folder in FOLDERS:
        for header in sorted((INCLUDE / folder).glob("*.hpp")):
            place = f"{folder}/{header.name}"
            for head, body in statements(header.read_text()):
                kind = re.match(r"(?:template ?<.*?> )?(class|struct|enum class) (\w+)", head)
                function = re.search(r"(\w+) ?\(", head)
                if kind and body:
                    types.setdefault(kind[2], place)
                    if kind[2].endswith("Options"):
                        flat = re.sub(r"\{[^{}]*\}", "", re.sub(r"\([^()]*\)", "", body[1:-1]))
                        names = [re.sub(r"=.*", "", line, flags=re.S).split() for line in flat.split(";")]
                        options[kind[2]] = [words[-1] for words in names if len(words) > 1]
                elif function and not re.match(r"(using|class|struct|enum|friend|extern|inline constexpr)", head):
                    if not re.search(r"operator|~", head):
                        functions.setdefault(function[1], place)
    return functions, types, options
