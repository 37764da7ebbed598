"""The tables of the documents that follow from the code: manifest, tools, settings and causes of errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
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


_TITLES: Final = {
    "Manifest": "A file",
    "FunctionRule": "A rule: an entry of `functions`",
    "PayloadRule": "`payload` of a rule",
    "ResultRule": "`result` of a rule",
    "ApprovalRule": "`approval` of a rule, written out",
    "Limits": "`limits` of a rule or principal",
    "StopRule": "`stop_after_failures` of a rule",
    "LogsRule": "`logs` of a rule",
    "Target": "An entry of `targets`",
    "DenyRule": "An entry of `deny`",
    "PrincipalRule": "A value of `principals`",
    "RedactionRule": "`redaction`",
    "DetectorRule": "An entry of `redaction.detectors`",
}
"""The parts of a manifest that come first. Whatever else its schema has follows, under its own name."""


_WORDS: Final = {"integer": "whole number", "boolean": "true or false", "object": "keys"}


def _manifest() -> str:
    schema = manifest_json_schema()
    models = {"Manifest": schema} | {name: each for name, each in schema["$defs"].items() if "properties" in each}
    names = [*(name for name in _TITLES if name in models), *(name for name in models if name not in _TITLES)]
    return "\n\n".join(f"### {_TITLES.get(name, name)}\n\n{_keys(models[name])}" for name in names)


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
