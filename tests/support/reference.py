"""The tables of the documents that follow from the code: manifest, tools, settings and causes of errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

import click

from lambda_warden.cli import main
from lambda_warden.manifests.json_schema import manifest_json_schema
from lambda_warden.model.result import ErrorCause
from lambda_warden.report.causes import NAMES
from lambda_warden.report.explanation import EXPLANATIONS, NEXT_STEPS
from lambda_warden.settings import Settings

SNAPSHOTS: Final = Path(__file__).parents[1] / "tools" / "snapshots"
_BLOCK: Final = re.compile(r"(<!-- of the code: (\w+) -->\n)(.*?)(<!-- end -->)", re.S)


def written_anew(page: str) -> str:
    """A page with each of its generated parts as the code has it now."""
    return _BLOCK.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n\n{found[4]}", page)


def serve_command() -> click.Command:
    """The command whose options are the settings."""
    assert isinstance(main, click.Group)
    return main.commands["serve"]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in (header, *rows)]
    return "\n".join([lines[0], "|---" * len(header) + "|", *lines[1:]])


def _settings() -> str:
    options = [option for option in serve_command().params if option.name in Settings.model_fields]
    rows = (_setting(option) for option in options if isinstance(option, click.Option))
    return _table(["option", "meaning", "if not given"], [["`--manifest`", "the allowlist", "required"], *rows])


def _setting(option: click.Option) -> list[str]:
    default = option.show_default if isinstance(option.show_default, str) else option.default
    if isinstance(default, bool):
        default = "yes" if default else "no"
    flags = ", ".join(f"`{flag}`" for flag in [*option.opts, *option.secondary_opts])
    return [flags, str(Settings.model_fields[str(option.name)].description), str(default)]


def _manifest() -> str:
    schema = manifest_json_schema()
    models: dict[str, list[str]] = {}
    parts = [f"### A file\n\n{_keys(schema)}"]
    _look_below(schema, schema["$defs"], "", models)
    for name, places in models.items():
        where = ", ".join(f"`{place}`" for place in places)
        parts.append(f"### {where}\n\n{_keys(schema['$defs'][name])}")
    return "\n\n".join(parts)


def _look_below(model: Mapping[str, Any], defined: Mapping[str, Any], place: str, models: dict[str, list[str]]) -> None:
    """Find the models of a model's keys, and where each of them stands, in the order of a manifest."""
    for key, value in model["properties"].items():
        for name, below in _models(value, f"{place}{key}"):
            if "properties" in defined[name]:
                models.setdefault(name, []).append(below)
                _look_below(defined[name], defined, f"{below}.", models)


def _models(value: Any, place: str) -> Iterator[tuple[str, str]]:
    match value:
        case {"$ref": ref}:
            yield ref.rpartition("/")[2], place
        case {"items": items}:
            yield from _models(items, f"{place}[]")
        case {"additionalProperties": each}:
            yield from _models(each, f"{place}.NAME")
        case {"anyOf": kinds} | {"oneOf": kinds}:
            for kind in kinds:
                yield from _models(kind, place)


_WORDS: Final = {"integer": "whole number", "boolean": "true or false", "object": "keys"}


def _keys(model: Mapping[str, Any]) -> str:
    required = model.get("required", ())
    return _table(
        ["key", "value", "meaning", "if not given"],
        (
            [f"`{key}`", _kind(each), each.get("description", ""), "required" if key in required else _default(each)]
            for key, each in model["properties"].items()
        ),
    )


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    if default in (None, [], {}):
        return ""
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _kind(schema: Mapping[str, Any]) -> str:
    """What a value may be, in few words."""
    match schema:
        case {"const": value}:
            return f"`{value}`"
        case {"enum": values}:
            return ", ".join(f"`{value}`" for value in values)
        case {"anyOf": kinds} | {"oneOf": kinds}:
            return " or ".join(_kind(kind) for kind in kinds if kind.get("type") != "null")
        case {"$ref": ref}:
            return "any JSON" if ref.endswith("/JsonValue") else "keys"
        case {"type": "array", "items": items}:
            return f"list of {_kind(items)}".replace("list of keys", "list of entries") if items else "list"
        case {"type": "object", "additionalProperties": {"$ref": ref}} if not ref.endswith("/JsonValue"):
            return "entries by name"
        case {"type": list(kinds)}:
            return " or ".join(str(_WORDS.get(kind, kind)) for kind in kinds)
        case {"type": kind}:
            least, most = schema.get("minimum"), schema.get("maximum")
            bounds = f", {least:,} to {most:,}" if None not in (least, most) else f", from {least:,}" if least else ""
            return f"{_WORDS.get(kind, kind)}{bounds}"
    return "any JSON"


def _tools() -> str:
    parts = []
    for path in sorted(SNAPSHOTS.glob("*.json")):
        tool = json.loads(path.read_text())
        required = tool["inputSchema"].get("required", ())
        rows = (
            [f"`{name}`", _kind(each), each.get("description", ""), "yes" if name in required else ""]
            for name, each in tool["inputSchema"].get("properties", {}).items()
        )
        parts.append(f"### `{tool['name']}`\n\n{_table(['argument', 'value', 'meaning', 'required'], rows)}")
    return "\n\n".join(parts)


def _causes() -> str:
    rows = ([f"`{cause}`", EXPLANATIONS[cause], _names(cause), NEXT_STEPS[cause]] for cause in get_args(ErrorCause))
    return _table(["cause", "it means", "known by, among others", "next step"], rows)


def _names(cause: ErrorCause) -> str:
    return ", ".join(f"`{line.names.split()[0]}`" for line in NAMES if line.cause == cause)


PARTS: Final = {"settings": _settings, "manifest": _manifest, "tools": _tools, "causes": _causes}
