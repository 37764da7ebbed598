"""What the documents and the examples say, held against what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from jsonschema import Draft202012Validator

from lambda_warden import __version__
from lambda_warden.cli import main
from lambda_warden.manifest_file import load_manifest, manifest_json_schema
from lambda_warden.model.manifest import FunctionRule

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
EXAMPLE = ROOT / "manifests" / "example.yaml"
SNIPPETS = sorted((ROOT / "manifests" / "clients").glob("*.json"))


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


def serve_command() -> click.Command:
    assert isinstance(main, click.Group)
    return main.commands["serve"]


def test_the_two_commands_come_first_and_ci_runs_the_second() -> None:
    demo, test = (block.strip() for block in blocks("sh"))
    assert demo == "pip install uv && uv run --extra local lambda-warden demo"
    assert test == "pip install uv && uv run --extra local --group test pytest"
    assert test in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_readmes_manifest_is_valid(tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    path = tmp_path / "manifest.yaml"
    path.write_text(text)
    assert len(load_manifest(path).rules.all) == 3


def test_the_example_is_valid_and_fits_the_published_schema() -> None:
    load_manifest(EXAMPLE)
    schema = json.loads((ROOT / "manifests" / "manifest.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(yaml.safe_load(EXAMPLE.read_text()))


def test_the_published_schema_is_the_generated_one() -> None:
    """After a change of the model: `lambda-warden schema > manifests/manifest.schema.json`."""
    assert json.loads((ROOT / "manifests" / "manifest.schema.json").read_text()) == manifest_json_schema()


def test_the_iam_policy_permits_what_the_example_allows_in_its_account() -> None:
    invoke, _ = json.loads((ROOT / "manifests" / "iam-policy.json").read_text())["Statement"]
    allowed = [
        f"{rule.spec.arn}:{qualifier}"
        for rule in load_manifest(EXAMPLE).rules.all
        if rule.arn.account == "123456789012"
        for qualifier in rule.spec.qualifiers
    ]
    assert invoke["Resource"] == allowed


@pytest.mark.parametrize("path", SNIPPETS, ids=lambda path: path.stem)
def test_a_clients_snippet_starts_the_server_with_options_it_has(path: Path) -> None:
    configuration: dict[str, Any] = json.loads(path.read_text())
    ((key, servers),) = configuration.items()
    assert key == ("servers" if path.stem == "vscode" else "mcpServers")
    server = servers["lambda-warden"]
    assert server["command"] == "lambda-warden"
    command, *arguments = server["args"]
    assert command == "serve"
    parsed = serve_command().make_context("serve", arguments)
    assert parsed.params["manifest"].name == "manifest.yaml"
    assert path.name in README


def test_the_readmes_snippet_is_that_of_claude_desktop() -> None:
    (text,) = blocks("json")
    assert json.loads(text) == json.loads((ROOT / "manifests" / "clients" / "claude-desktop.json").read_text())


def test_the_readme_names_every_option_and_every_key_of_a_rule() -> None:
    # The demo's options and the transport's stand in the text, the others in the table of settings.
    options = {option for parameter in serve_command().params for option in parameter.opts if option != "--port"}
    named = set(re.findall(r"--(?:no-)?[a-z-]+", README))
    assert options <= named | {"--verify-ssl", "--sign-request"}
    assert {"--no-verify-ssl", "--no-sign-request"} <= named
    for key in FunctionRule.model_fields:
        assert f"`{key}" in README


@pytest.mark.parametrize("document", ["README.md", "SECURITY.md"])
def test_links_into_the_project_lead_somewhere(document: str) -> None:
    targets = re.findall(r"\]\((?!http)([^)]+)\)", (ROOT / document).read_text())
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_changelog_speaks_of_this_version() -> None:
    assert f"## {__version__} " in (ROOT / "CHANGELOG.md").read_text()
