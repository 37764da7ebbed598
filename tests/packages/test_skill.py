"""The skill for agents: every tool, argument, field and outcome that it names exists."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import yaml

from lambda_warden.model.result import Outcome

ROOT = Path(__file__).parents[2]
SKILL = ROOT / "manifests" / "skills" / "lambda-warden" / "SKILL.md"
_, FRONTMATTER, BODY = SKILL.read_text().split("---\n", 2)


def test_the_frontmatter_keeps_within_the_formats_limits() -> None:
    said = yaml.safe_load(FRONTMATTER)
    assert said.keys() <= {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
    assert said["name"] == SKILL.parent.name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", said["name"])
    assert 0 < len(said["description"]) <= 1024
    assert 0 < len(said["compatibility"]) <= 500
    assert len(SKILL.read_text().splitlines()) < 500


def test_what_it_names_exists() -> None:
    tools = [json.loads(path.read_text()) for path in (ROOT / "tests" / "tools" / "snapshots").glob("*.json")]
    known = {tool["name"] for tool in tools} | {word for tool in tools for word in _words(tool)} | {"true"}
    assert set(re.findall(r"`([^`\n]+)`", BODY)) <= known


def test_it_tells_what_to_do_after_each_outcome() -> None:
    assert re.findall(r"^\| `(\w+)` \| \S", BODY, re.M)[1:] == list(get_args(Outcome))


def _words(schema: Any) -> set[str]:
    """Every property and every allowed value of a schema, however deep."""
    if isinstance(schema, list):
        return {word for each in schema for word in _words(each)}
    if not isinstance(schema, dict):
        return set()
    named = {*schema.get("properties", {}), *map(str, schema.get("enum", [])), str(schema.get("const"))}
    return named.union(*map(_words, schema.values()))
