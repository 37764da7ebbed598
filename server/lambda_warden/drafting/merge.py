"""Adds rules and targets to the text of a manifest, of which every character stays as a person wrote it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

_LATER = re.compile(r"(?:[ \t]*\r?\n)*[ \t]+#[^\n]*(?:\n|\Z)")
"""Lines behind the last item that still belong to its list: comments that are indented."""


class MergeError(Exception):
    """A manifest is written in a way that nothing can be added to it without changing what stands there."""


def merge_text(text: str, targets: Sequence[str], rules: Sequence[str]) -> str:
    """Add lines to the lists `targets` and `functions`, each behind all that is in its list.

    Args:
        text: a manifest that can be used.
        targets: lines of new targets.
        rules: lines of new rules, comments among them.

    Raises:
        MergeError: if a list is not written as lines that begin with a dash, or what the manifest said would change.
    """
    merged = text
    for key, lines in (("functions", rules), ("targets", targets)):
        if lines:
            merged = _added(merged, key, lines)
    before, after = _data(text), _data(merged)
    for key in before.keys() | after.keys():
        old, new = before.get(key) or [], after.get(key) or []
        same = new[: len(old)] == old if key in ("functions", "targets") else new == old
        if not same:
            raise MergeError(f"what {key} says would change")
    return merged


def _added(text: str, key: str, lines: Sequence[str]) -> str:
    root = yaml.compose(text, yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        raise MergeError("the manifest is written in braces. Expected a line for each key")
    break_ = "\r\n" if "\r\n" in text else "\n"
    found = next(((name, node) for name, node in root.value if name.value == key), None)
    head = ""
    if found is None:
        at, indent, head = len(text), 2, f"{key}:{break_}"
    else:
        name, node = found
        if node.tag == "tag:yaml.org,2002:null" and node.start_mark.index == node.end_mark.index:
            at, indent = _behind_line(text, name.end_mark.index), 2
        elif isinstance(node, yaml.SequenceNode) and not node.flow_style:
            at, indent = _behind(text, node), node.start_mark.column
        else:
            raise MergeError(f"{key} is not written as lines that begin with a dash")
        while later := _LATER.match(text, at):
            at = later.end()
    added = head + "".join(f"{' ' * indent if line else ''}{line}{break_}" for line in lines)
    if at and text[at - 1] != "\n":
        added = break_ + added
    return text[:at] + added + text[at:]


def _behind(text: str, node: yaml.Node) -> int:
    """Where the line behind a node begins. The end of a block that YAML gives is where the next thing stands."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    end = node.end_mark
    return int(end.index) if end.column == 0 else _behind_line(text, end.index)


def _behind_line(text: str, index: int) -> int:
    return text.find("\n", index) + 1 or len(text)


def _data(text: str) -> dict[str, Any]:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise MergeError(f"the result would not be YAML: {' '.join(str(error).split())}") from None
    return data if isinstance(data, dict) else {}
