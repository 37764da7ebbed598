"""The manifest as a file: YAML in, rules out, and every problem with its file, line and what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from lambda_warden.guard.payload_schema import PayloadSchema
from lambda_warden.guard.rules import Rule, RuleConflictError, Rules
from lambda_warden.model.errors import ManifestError
from lambda_warden.model.function_ref import partition_of, shown
from lambda_warden.model.manifest import FunctionRule, Manifest, parse_rule_arn
from lambda_warden.model.strict_json import parse_json

Path_ = tuple[str | int, ...]
"""Where something stands in a manifest: keys and indexes from the root."""

SIZE_LIMIT = 8 * 1024 * 1024
"""Bytes of a manifest or schema file. The limit guards against pointing at the wrong file."""
DEPTH_LIMIT = 100
"""Levels of nesting in a manifest, schemas written out in it included."""

_SCALAR_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null")}


@dataclass(frozen=True, slots=True)
class LoadedManifest:
    """A manifest that passed every check, with its rules ready to decide."""

    path: Path
    manifest: Manifest
    rules: Rules


def load_manifest(path: Path) -> LoadedManifest:
    """Read and check a manifest, and the schema files it names.

    Raises:
        ManifestError: with all problems found, one line each: `FILE:LINE: KEY: problem. Expected …`.
    """
    document = _Document(path, _read(path))
    try:
        manifest = Manifest.model_validate(document.data)
    except ValidationError as error:
        raise ManifestError([document.describe(problem) for problem in error.errors()]) from None
    problems = _unreachable(manifest, document)
    compiled: list[Rule] = []
    for index, spec in enumerate(manifest.functions):
        place: Path_ = ("functions", index)
        try:
            schema = _schema(spec, path.parent)
        except ValueError as error:
            problems.append(document.at((*place, "payload", "schema"), str(error)))
            continue
        compiled.append(Rule(spec, parse_rule_arn(spec.arn), f"{path}:{document.line(place)}", schema))
        problems.extend(_unfit_examples(spec, schema, place, document))
    if problems:
        raise ManifestError(problems)
    try:
        return LoadedManifest(path, manifest, Rules(compiled, manifest.targets))
    except RuleConflictError as error:
        first, second, qualifiers = error.first, error.second, ", ".join(error.qualifiers)
        problem = f"{second.spec.arn} is already allowed {qualifiers} by the rule at {first.source}"
        expected = "Expected one rule for a function and qualifier"
        raise ManifestError([f"{second.source}: functions: {problem}. {expected}."]) from None


def manifest_json_schema() -> dict[str, Any]:
    """The JSON Schema of a manifest, for editors."""
    schema = Manifest.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:lambda-warden:manifest:1",
        **schema,
        "title": "lambda-warden manifest",
    }


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
        if len(data) > SIZE_LIMIT:
            raise ManifestError([f"{path}: is over {SIZE_LIMIT:,} bytes. Expected a manifest."])
        return data.decode()
    except OSError as error:
        raise ManifestError([f"{path}: {error.strerror or error}. Expected a manifest that can be read."]) from None
    except UnicodeDecodeError as error:
        raise ManifestError([f"{path}: is not UTF-8 (byte {error.start}). Expected YAML in UTF-8."]) from None


def _schema(spec: FunctionRule, folder: Path) -> PayloadSchema | None:
    match spec.payload.schema_:
        case None:
            return None
        case dict() as schema:
            return PayloadSchema(schema)
        case str() as name:
            return PayloadSchema(_read_schema(name, folder))


def _read_schema(name: str, folder: Path) -> dict[str, Any]:
    try:
        root = folder.resolve()
        path = (root / name).resolve()
        if path.is_relative_to(root):
            with path.open("rb") as file:
                data = file.read(SIZE_LIMIT + 1)
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop of links; ValueError: a NUL
        problem = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"{name!r} can't be read: {problem}. Expected a JSON Schema file") from None
    if not path.is_relative_to(root):
        raise ValueError(f"{name!r} leads out of the manifest's folder. Expected a file below it")
    if len(data) > SIZE_LIMIT:
        raise ValueError(f"{name!r} is over {SIZE_LIMIT:,} bytes. Expected a JSON Schema file")
    try:
        schema = parse_json(data)
    except ValueError as error:
        raise ValueError(f"{name!r} is not JSON: {error}. Expected a JSON Schema file") from None
    if not isinstance(schema, dict):
        raise ValueError(f"{name!r} holds no JSON object. Expected a JSON Schema")
    return schema


def _unreachable(manifest: Manifest, document: _Document) -> list[str]:
    """Rules without a target, and accounts that are targets twice."""
    problems = []
    places: dict[tuple[str, str], int] = {}
    for index, target in enumerate(manifest.targets):
        for region in target.regions:
            first = places.setdefault((target.account, region), index)
            if first != index:
                problem = (
                    f"account {target.account} in {region} is already target {first + 1}. Expected one target each"
                )
                problems.append(document.at(("targets", index), problem))
    for index, spec in enumerate(manifest.functions):
        arn = parse_rule_arn(spec.arn)
        if (arn.account, arn.region) not in places or partition_of(arn.region) != arn.partition:
            problems.append(
                document.at(
                    ("functions", index, "arn"),
                    f"no target reaches account {arn.account} in {arn.region}. Expected it under `targets`",
                )
            )
    return problems


def _unfit_examples(spec: FunctionRule, schema: PayloadSchema | None, place: Path_, document: _Document) -> list[str]:
    if schema is None:
        return []
    return [
        document.at((*place, "examples", i), f"does not fit the rule's own schema: {problems[0]}")
        for i, example in enumerate(spec.examples)
        if (problems := schema.problems(example))
    ]


class _Document:
    """A parsed YAML document that remembers on which line each key and item stands.

    Raises:
        ManifestError: if it isn't YAML, is empty, repeats a key, or uses anchors or tags.
    """

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines: dict[Path_, int] = {}
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
            raise ManifestError([f"{path}:{mark.line + 1 if mark else 1}: is not YAML: {problem}."]) from None
        except yaml.YAMLError as error:
            raise ManifestError([f"{path}: is not YAML: {' '.join(str(error).split())}."]) from None
        except RecursionError:
            raise ManifestError([f"{path}: is nested too deeply. Expected a manifest."]) from None
        finally:
            if loader is not None:
                loader.dispose()

    def line(self, place: Path_) -> int:
        """The line of the nearest thing that exists on the way to `place`."""
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)

    def at(self, place: Path_, problem: str) -> str:
        """One line of an error message."""
        return f"{self._path}:{self.line(place)}: {_dotted(place)}: {problem}."

    def describe(self, error: Any) -> str:
        """One line for one of pydantic's errors."""
        place: Path_ = tuple(error["loc"])
        match error["type"]:
            case "extra_forbidden":
                *parent, key = place
                return self.at(place, f"unknown key {key!r}. Expected one of: {', '.join(_known_keys(parent))}")
            case "missing":
                return self.at(place, "is missing")
            case _:
                got = error["input"]
                shown = "" if isinstance(got, dict | list) else f", not {got!r}"
                return self.at(place, error["msg"].removeprefix("Value error, ").rstrip(".") + shown)

    def _build(self, node: yaml.Node, place: Path_, loader: Any) -> Any:
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

    def _build_mapping(self, pairs: Sequence[tuple[yaml.Node, yaml.Node]], place: Path_, loader: Any) -> dict[str, Any]:
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

    def _at_node(self, node: yaml.Node, place: Path_, problem: str) -> str:
        return f"{self._path}:{node.start_mark.line + 1}: {_dotted(place)}: {problem}."


def _dotted(place: Path_) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.lstrip(".") or "manifest"


def _known_keys(parent: Sequence[str | int]) -> list[str]:
    """The keys that may stand at a place of the manifest, read off its JSON Schema."""
    schema = Manifest.model_json_schema(by_alias=True)
    node = schema
    for part in parent:
        node = node["items"] if isinstance(part, int) else node.get("properties", {}).get(part, {})
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return list(node.get("properties", {}))
