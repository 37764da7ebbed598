"""One YAML file that remembers on which line each key and item stands."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from lambda_warden.errors import ManifestError, shown
from lambda_warden.manifests.json_schema import known_keys
from lambda_warden.manifests.regular_file import read_regular
from lambda_warden.model.strict import TAG

_M = TypeVar("_M", bound=BaseModel)

Place = tuple[str | int, ...]
"""Where something stands in a manifest: keys and indexes from the root."""

SIZE_LIMIT = 8 * 1024 * 1024
"""Bytes of a manifest or schema file. The limit guards against pointing at the wrong file."""
DEPTH_LIMIT = 100
"""Levels of nesting in a manifest, schemas written out in it included."""

_SCALAR_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null")}


class Document:
    """A parsed YAML document that remembers on which line each key and item stands.

    `ends_a_line`: whether its last line has an end.

    Raises:
        ManifestError: if it can't be read, isn't YAML, is empty, repeats a key, or uses anchors or tags.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        text = _read(path)
        self.sha256 = hashlib.sha256(text.encode()).hexdigest()
        self.ends_a_line = text.endswith("\n")
        self._lines: dict[Place, int] = {}
        self._seen: set[int] = set()
        # The C parser where PyYAML has it: ten thousand rules load in a second rather than ten.
        make_loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        loader = None
        try:
            loader = make_loader(text)
            node = loader.get_single_node()
            if node is None:
                raise ManifestError([f"{path}:1: the manifest is empty. Expected version, targets and functions."])
            self.data = self._build(node, (), loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = " ".join(filter(None, (error.context, error.problem)))
            expected = " Expected spaces: here is a tab." if mark and text[mark.index : mark.index + 1] == "\t" else ""
            raise ManifestError([f"{path}:{mark.line + 1 if mark else 1}: is not YAML: {problem}.{expected}"]) from None
        except yaml.YAMLError as error:
            raise ManifestError([f"{path}: is not YAML: {' '.join(str(error).split())}."]) from None
        except RecursionError:
            raise ManifestError([f"{path}: is nested too deeply. Expected a manifest."]) from None
        finally:
            if loader is not None:
                loader.dispose()

    def line(self, place: Place) -> int:
        """The line of the nearest thing that exists on the way to `place`."""
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)

    def source(self, place: Place) -> str:
        """FILE:LINE of the nearest thing that exists on the way to `place`."""
        return f"{self._path}:{self.line(place)}"

    def at(self, place: Place, problem: str) -> str:
        """One line of an error message."""
        return f"{self._path}:{self.line(place)}: {_dotted(place)}: {problem}."

    def validate(self, model: type[_M]) -> _M:
        """The whole document as a model.

        Raises:
            ManifestError: with all that does not fit.
        """
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            raise ManifestError([self.describe(model, problem) for problem in error.errors()]) from None

    def describe(self, model: type[BaseModel], error: Any, within: Place = ()) -> str:
        """One line for one of pydantic's errors, of what stands at a place of a document of this model."""
        place: Place = (*within, *(part for part in error["loc"] if not str(part).startswith(TAG)))
        match error["type"]:
            case "extra_forbidden":
                *parent, key = place
                return self.at(place, f"unknown key {key!r}. Expected one of: {', '.join(known_keys(model, parent))}")
            case "missing":
                return self.at(place, "is missing")
            case "list_type" | "tuple_type" if isinstance(error["input"], str | int | float):
                return self.at(place, f"is one value. Expected a list: write [{_as_yaml(error['input'])}]")
            case "string_type" if isinstance(error["input"], bool | int | float):
                kind = type(error["input"]).__name__
                return self.at(place, f"{error['input']!r} is read as {kind}. Expected text: put it in quotes")
            case _:
                got = error["input"]
                shown = "" if isinstance(got, dict | list) else f", not {got!r}"
                return self.at(place, error["msg"].removeprefix("Value error, ").rstrip(".") + shown)

    def _build(self, node: yaml.Node, place: Place, loader: Any) -> Any:
        if id(node) in self._seen:
            # The node is the anchor's. The place, and so the line of its key, is that of its second use.
            raise ManifestError([self.at(place, "an anchor is used again. Expected it to be written out")])
        self._seen.add(id(node))
        if len(place) > DEPTH_LIMIT:
            raise ManifestError([self._at_node(node, place[:5], "is nested too deeply. Expected a manifest")])
        self._lines.setdefault(place, node.start_mark.line + 1)
        match node:
            case yaml.MappingNode(value=pairs) if node.tag == "tag:yaml.org,2002:map":
                return self._build_mapping(pairs, place, loader)
            case yaml.SequenceNode(value=items) if node.tag == "tag:yaml.org,2002:seq":
                return [self._build(item, (*place, i), loader) for i, item in enumerate(items)]
            case yaml.ScalarNode(value=text) if node.tag in _SCALAR_TAGS:
                try:
                    return loader.construct_object(node)
                except (ValueError, LookupError):
                    kind = node.tag.rsplit(":", 1)[-1]
                    problem = f"{shown(text)} can't be read as {kind}. Expected it in quotes, if it is text"
                    raise ManifestError([self._at_node(node, place, problem)]) from None
            case _:
                kind = node.tag.rsplit(":", 1)[-1]
                problem = f"is read as {kind}. Expected text in quotes, a number, true, false or null"
                raise ManifestError([self._at_node(node, place, problem)])

    def _build_mapping(self, pairs: Sequence[tuple[yaml.Node, yaml.Node]], place: Place, loader: Any) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in pairs:
            key = self._build(key_node, (*place, "?"), loader)
            if not isinstance(key, str):
                raise ManifestError([self._at_node(key_node, place, f"the key {key!r} is not text. Expected quotes")])
            if key in mapping:
                raise ManifestError([self._at_node(key_node, (*place, key), "stands here twice. Expected it once")])
            self._lines[*place, key] = key_node.start_mark.line + 1
            mapping[key] = self._build(value_node, (*place, key), loader)
        return mapping

    def _at_node(self, node: yaml.Node, place: Place, problem: str) -> str:
        return f"{self._path}:{node.start_mark.line + 1}: {_dotted(place)}: {problem}."


def _as_yaml(value: str | float) -> str:
    """A value as it has to stand in a list of texts."""
    text = str(value)
    return text if re.fullmatch(r"[A-Za-z$][\w$.-]*", text) else f'"{text}"'


def _dotted(place: Place) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.lstrip(".") or "manifest"


def _read(path: Path) -> str:
    try:
        data = read_regular(path, SIZE_LIMIT + 1)
        if len(data) > SIZE_LIMIT:
            raise ManifestError([f"{path}: is over {SIZE_LIMIT:,} bytes. Expected a manifest."])
        return data.decode()
    except OSError as error:
        raise ManifestError([f"{path}: {error.strerror or error}. Expected a manifest that can be read."]) from None
    except UnicodeDecodeError as error:
        raise ManifestError([f"{path}: is not UTF-8 (byte {error.start}). Expected YAML in UTF-8."]) from None
