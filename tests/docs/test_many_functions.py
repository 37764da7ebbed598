"""What `docs/many-functions.md` shows can be used, and what it says of defaults is so."""

from __future__ import annotations

import re
from pathlib import Path

import click

from lambda_warden.cli import main
from lambda_warden.manifests.load import load_manifests
from lambda_warden.model.function_rule import FunctionRule
from lambda_warden.model.rule_entry import Defaults

PAGE = (Path(__file__).parents[2] / "docs" / "many-functions.md").read_text()


def test_its_manifests_can_be_used(tmp_path: Path) -> None:
    shared, selecting = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S)
    path = tmp_path / "manifest.yaml"
    path.write_text(shared)
    loaded = load_manifests([path])
    assert [rule.spec.limits.per_day for rule in loaded.rules.all] == [1000, 1000, 1000, 20]
    assert not list(loaded.warnings())
    path.write_text(selecting)
    assert len(list(load_manifests([path]).lock_problems())) == 1


def test_it_names_what_may_have_a_default_and_what_may_not() -> None:
    may, may_not = (set(re.findall("`(\\w+)`", line)) for line in re.findall(r"^\| may (?:stand|not).*$", PAGE, re.M))
    assert may == set(Defaults.model_fields)
    assert may_not == set(FunctionRule.model_fields) - may | {"select"}


def test_its_commands_are_there() -> None:
    assert isinstance(main, click.Group)
    for line in re.findall(r"^\$ lambda-warden lock (.+)$", PAGE, re.M):
        command = main.get_command(click.Context(main), "lock")
        assert command is not None
        assert command.make_context("lock", line.split()).params["manifests"] == (Path("manifest.yaml"),)
