"""The text of one kubepi.yaml as settings with their lines, or the sentences about it; pure.

Values are read by what the setting holds, not by what YAML guesses: `version: 1.40` and
`country: NO` stay text. PyYAML is imported late, since most runs find no such file.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

from kubepi.decide.settings import KINDS, SECRETS, Shape
from kubepi.decide.values import Wrong, close_to, quoted

Node = Any  # a yaml.Node; its published types lack `id` and `style`

TAG = "tag:yaml.org,2002:"
DEEPEST = 20  # maps within maps
NO_SETTINGS = "settings belong here; write them one a line, like `name: home` below `cluster:`"
WANTED = {
    "text": "text",
    "number": "a whole number",
    "switch": "true or false",
    "list": "a plain list",
    "map": "lines of its own below it",
    "names or number": "a whole number or a plain list",
}
QUOTED_BY_MISTAKE = ("switch", "number", "names or number")
FOUND = {"sequence": "a list", "mapping": "lines below it"}
# what PyYAML says, in the words of who wrote the file; its own hold pieces of it: maybe a secret
SYNTAX = {
    r"'\t'": "a tab where spaces belong; indent by spaces",
    "values are not allowed": "a colon where none can be; put quotes around a value with a colon",
    "expected ':'": "a line without a colon; write `name: value`",
    "expected ','": "a bracket that is not closed, or a comma is missing; close it",
    "block end": "not indented like the lines above; indent the settings of a section alike",
    "cannot start": "a value begins with a sign that has a meaning in YAML; put it in quotes",
    "end of stream": "a quote or bracket is never closed; close it",
    "another document": "a second document begins here; keep one and take the line --- out",
    "alias": "an alias (*name); write the value out",
    "anchor": "an anchor (&name); write the value out",
    "special characters": "a character that no text has; save the file as UTF-8 text",
}
NO_YAML = "this is not YAML; compare indentation, quotes and brackets with the other lines"


def entries(source: str, text: str, problems: list[str]) -> Iterator[tuple[str, str, Any]]:
    """FILE:LINE, name and value of each setting; the rest makes sentences in `problems`."""
    root = _document(source, text, problems)
    if root is None or _is_null(root):
        return
    if not _is_map(root):
        problems.append(f"{_place(source, root)}: {NO_SETTINGS}")
        return
    yield from _settings(source, "", root, problems)


def _settings(
    source: str, section: str, below: Node, problems: list[str]
) -> Iterator[tuple[str, str, Any]]:
    """What stands in a section, and in those within it; "" is the whole file."""
    prefix = f"{section}." if section else ""
    for place, key, node in _pairs(source, below, prefix, problems):
        name = f"{prefix}{key}"
        if "." in key or not any(f"{known}.".startswith(f"{name}.") for known in KINDS):
            problems.append(f"{place}: {prefix}{_name(key)}: {unknown(section, key)}")
        elif name not in KINDS:
            if _is_map(node):
                yield from _settings(source, name, node, problems)
            elif not _is_null(node):
                problems.append(f"{place}: {name}: {NO_SETTINGS}")
        else:
            try:
                value = _read(node, KINDS[name].shape)
            except Wrong as wrong:
                problems.append(f"{place}: {name}: {wrong}")
            except _WrongShape:
                problems.append(f"{place}: {name}: {_mismatch(name, node)}")
            else:
                yield place, name, value


def _pairs(
    source: str, node: Node, prefix: str, problems: list[str]
) -> Iterator[tuple[str, str, Node]]:
    """FILE:LINE, key and value node of a map; of two equal keys only the first."""
    lines: dict[str, int] = {}
    for key_node, value in node.value:
        key, line = _key(key_node), key_node.start_mark.line + 1
        if key in lines:
            problems.append(
                f"{source}:{line}: {prefix}{_name(key)}: is there twice, first in line "
                f"{lines[key]}; keep one"
            )
            continue
        lines[key] = line
        yield f"{source}:{line}", key, value


def unknown(section: str, key: str) -> str:
    """The sentence about a name that is no setting; `section` is "" at the top of the file."""
    prefix = f"{section}." if section else ""
    below = [name.removeprefix(prefix) for name in KINDS if name.startswith(prefix)]
    inside = list(dict.fromkeys(name.partition(".")[0] for name in below))
    by_leaf = {name.rpartition(".")[2]: name for name in reversed(KINDS)}
    leaf = key.rpartition(".")[2]
    if leaf in by_leaf:
        above = " and ".join(f"`{word}:`" for word in by_leaf[leaf].split(".")[:-1])
        return f"unknown here; `{leaf}:` belongs below the line {above}"
    close = close_to(key, inside)
    if close is not None:
        return f"unknown {'setting' if section else 'section'}; did you mean {close}?"
    close = close_to(leaf, by_leaf)
    if close is not None:
        return f"unknown setting; did you mean {by_leaf[close]}?"
    kind = "setting" if section else "section"
    return f"unknown {kind}; known here: {', '.join(inside)}"


# --- YAML ---------------------------------------------------------------------------------


class _WrongShape(ValueError):
    """A list where text belongs, and the like."""


def _document(source: str, text: str, problems: list[str]) -> Node:
    import yaml

    if "\ufffd" in text:
        line = text[: text.index("\ufffd")].count("\n") + 1
        problems.append(f"{source}:{line}: not UTF-8 text; save the file as UTF-8")
        return None
    try:
        root: Node = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None:
            _refuse_aliases(root)
    except yaml.YAMLError as error:
        problems.append(f"{source}:{_line_of(error, text)}: {_plain_words(error)}")
    except RecursionError:
        problems.append(f"{source}:1: too many brackets within brackets; write it flat")
    except (ValueError, OverflowError):
        # PyYAML lets chr() fail on "\UFFFFFFFF"
        problems.append(f"{source}:1: a \\U escape of no character; take it out")
    else:
        return root
    return None


def _refuse_aliases(root: Node) -> None:
    """A value used twice, which could also contain itself or grow without end."""
    from yaml.composer import ComposerError

    seen: set[int] = set()
    left = [root]
    while left:
        node = left.pop()
        if id(node) in seen:
            raise ComposerError(None, None, "found an alias", node.start_mark)
        seen.add(id(node))
        if node.id == "mapping":
            left += [part for pair in node.value for part in pair]
        elif node.id == "sequence":
            left += node.value


def _line_of(error: Exception, text: str) -> int:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    return text.count("\n", 0, getattr(error, "position", 0)) + 1


def _plain_words(error: Exception) -> str:
    said = f"{getattr(error, 'context', '')} {getattr(error, 'problem', error)}"
    return next((words for sign, words in SYNTAX.items() if sign in said), NO_YAML)


def _place(source: str, node: Node) -> str:
    return f"{source}:{node.start_mark.line + 1}"


def _is_null(node: Node) -> bool:
    return node.tag == f"{TAG}null" and not isinstance(node.value, list)


def _is_map(node: Node) -> bool:
    return bool(node.id == "mapping") and node.tag == f"{TAG}map"


def _key(node: Node) -> str:
    return node.value if isinstance(node.value, str) else "?"


def _name(key: str) -> str:
    """A key for a message; cut, since a token in the wrong place is a key too."""
    if len(key) > 8 and not re.fullmatch("[A-Za-z_.]{1,24}", key):
        key = f"{key[:8]}…"
    return key if key.isprintable() and key.strip() else quoted(key)


# --- values -------------------------------------------------------------------------------


def _read(node: Node, shape: Shape) -> Any:
    """The node as what a setting of this shape holds; nothing at all is its empty value.

    Raises:
        Wrong: something in it cannot be; _WrongShape: it is something else.
    """
    if shape == "map":
        return _map(node) if not _is_null(node) else {}
    if shape == "names or number":
        shape = "list" if node.id == "sequence" or _is_null(node) else "number"
    if shape == "list":
        if _is_null(node):
            return []
        if node.id != "sequence":
            raise _WrongShape
        return [_text(item) for item in node.value]
    text = _text(node)
    if shape == "text":
        return text
    if node.style is None and shape == "switch" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if node.style is None and shape == "number" and re.fullmatch("0|-?[1-9][0-9]{0,8}", text):
        return int(text)
    raise _WrongShape


def _text(node: Node) -> str:
    if not isinstance(node.value, str):
        raise _WrongShape
    if not node.tag.startswith(TAG) or node.tag == f"{TAG}binary":
        raise Wrong("has a YAML tag", "take the word with the ! out")
    if re.search("[\ud800-\udfff]", node.value):
        raise Wrong("has half a character, which nothing can save", "write it without \\u")
    return "" if _is_null(node) else str(node.value)


def _mismatch(name: str, node: Node) -> str:
    shape, example = KINDS[name].shape, KINDS[name].example
    found = FOUND.get(node.id, "nothing")
    if isinstance(node.value, str) and node.value:
        found = "text" if name in SECRETS else quoted(node.value)
    elif shape == "list" and node.id == "sequence":
        found = "a list with more than text in it"
    wanted = WANTED[shape]
    short = f"{name.rpartition('.')[2]}: {example}"
    if node.id == "scalar" and node.style is not None and shape in QUOTED_BY_MISTAKE:
        return f"found {found} in quotes, wanted {wanted}; take the quotes away: {short}"
    return f"found {found}, wanted {wanted}; for example {short}"


def _map(node: Node, depth: int = 0) -> Any:
    """Plain data as in any YAML file, as far as JSON has it: a date stays text."""
    if depth == 0 and node.id != "mapping":
        raise _WrongShape
    if depth > DEEPEST:
        raise Wrong("has maps within maps without end", "write it flat")
    if node.id == "sequence":
        return [_map(item, depth + 1) for item in node.value]
    if node.id == "scalar":
        return _scalar(node)
    keys = [_text(key) for key, _ in node.value]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise Wrong(f"{_name(twice[0])} is in it twice", "keep one")
    values = [_map(value, depth + 1) for _, value in node.value]
    return dict(zip(keys, values, strict=True))


def _scalar(node: Node) -> Any:
    from yaml.constructor import SafeConstructor

    text = _text(node)
    if node.tag.removeprefix(TAG) not in ("int", "float", "bool", "null"):
        return text
    try:
        value = SafeConstructor.yaml_constructors[node.tag](SafeConstructor(), node)
    except (KeyError, ValueError, OverflowError):
        value = math.nan
    if isinstance(value, float) and not math.isfinite(value):
        raise Wrong(f"{quoted(text)} is not a number", "put it in quotes if it is text")
    return value
