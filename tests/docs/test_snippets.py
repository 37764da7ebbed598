"""Every snippet of the README and the documents: manifests are loaded, commands parsed, settings known, code run."""

from __future__ import annotations

import json
import shlex
import shutil
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from lambda_warden.cli import main
from lambda_warden.manifests.load import load_manifests
from lambda_warden.model.manifest import Manifest
from support.snippets import ROOT, Snippet, commands, snippets, warden_arguments

LANGUAGES = {"sh", "console", "yaml", "json", "toml", "ini", "python", "text"}


def each(*languages: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("snippet", snippets(*languages), ids=str)


def test_each_snippet_says_what_it_is() -> None:
    assert {snippet.language for snippet in snippets()} <= LANGUAGES
    assert [str(each) for each in snippets("text") if "$ lambda-warden" in each.text] == []


@each("yaml")
def test_a_manifest_is_valid(snippet: Snippet, tmp_path: Path) -> None:
    """A whole one, keys of one, a list of rules, or keys of a rule."""
    written = yaml.safe_load(snippet.text)
    if isinstance(written, dict) and not written.keys() & Manifest.model_fields.keys():
        written = [{"arn": "arn:aws:lambda:us-east-1:123456789012:function:f", "qualifiers": ["live"]} | written]
    whole = written if isinstance(written, dict) else {"functions": written}
    targets = [{"account": "123456789012", "regions": ["us-east-1"]}]
    shutil.copytree(ROOT / "manifests" / "schemas", tmp_path / "schemas")
    path = tmp_path / "manifest.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "targets": targets} | whole))
    load_manifests([path])


def parsed_by_the_real_parser(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[dict[str, Any]]:
    """From now on, commands are parsed and not run. Gives the parameters of those that were."""
    monkeypatch.chdir(folder)
    (folder / "refund.json").touch()
    (folder / "trail").mkdir()
    parsed: list[dict[str, Any]] = []
    monkeypatch.setattr(click.Command, "invoke", lambda _, context: parsed.append(context.params))
    return parsed


@each("sh", "console")
def test_a_command_is_one_that_there_is(snippet: Snippet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    parsed = parsed_by_the_real_parser(monkeypatch, tmp_path)
    given = [words for words in map(warden_arguments, commands(snippet)) if words is not None]
    for words in given:
        result = CliRunner().invoke(main, words)
        assert (result.exit_code, result.output) == (0, ""), shlex.join(words)
    assert len(parsed) >= len(given) >= snippet.text.count("$ lambda-warden ")


@each("ini")
def test_a_variable_is_one_of_a_setting(snippet: Snippet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    parsed_by_the_real_parser(monkeypatch, tmp_path)
    assert isinstance(main, click.Group)
    serve = main.commands["serve"]
    given = dict(shlex.split(line, comments=True)[0].split("=", 1) for line in snippet.text.splitlines())
    assert given.keys() <= {f"LAMBDA_WARDEN_{option.opts[0][2:].upper().replace('-', '_')}" for option in serve.params}
    result = CliRunner().invoke(main, ["serve"], env=given)
    assert (result.exit_code, result.output) == (0, "")


@each("json", "toml")
def test_data_can_be_read(snippet: Snippet) -> None:
    assert json.loads(snippet.text) if snippet.language == "json" else tomllib.loads(snippet.text)
