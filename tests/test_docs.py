"""What the documents and the examples say, held against what the code does."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from lambda_warden import __version__
from lambda_warden.cli import main
from lambda_warden.guard.iam_policy import policies
from lambda_warden.hosts.config_file import servers, snippet
from lambda_warden.hosts.table import HOSTS, Host
from lambda_warden.manifests.json_schema import manifest_json_schema
from lambda_warden.manifests.load import load_manifests
from lambda_warden.settings import Settings
from security.mutants import MUTANTS, PACKAGE, Mutant

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CLIENTS = (ROOT / "docs" / "clients.md").read_text()
EXAMPLE = ROOT / "manifests" / "example.yaml"
# In a folder of its own: a Python that its system manages takes no packages.
UV = "python3 -m venv .uv && .uv/bin/pip install --quiet uv && .uv/bin/"
SLOW_TESTS = ".uv/bin/uv run --extra local --group test pytest -m slow"
SNIPPETS = ROOT / "manifests" / "clients"


def test_the_two_commands_come_first_and_ci_runs_the_tests() -> None:
    demo, test = (block.strip() for block in re.findall(r"^```sh\n(.*?)^```$", README, re.M | re.S))
    assert demo == UV + "uv run --extra local lambda-warden demo"
    assert test == UV + "uv run --extra local --group test pytest"
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    assert contributing.index(test) < contributing.index(SLOW_TESTS)
    ran = (ROOT / ".ci" / "run").read_text().splitlines()
    assert ran.index(test) + 1 == ran.index(SLOW_TESTS)


def test_the_example_is_valid_and_fits_the_published_schema() -> None:
    load_manifests([EXAMPLE])
    schema = json.loads((ROOT / "manifests" / "manifest.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(yaml.safe_load(EXAMPLE.read_text()))


def test_the_published_schema_is_the_generated_one() -> None:
    """After a change of the model: `lambda-warden schema > manifests/manifest.schema.json`."""
    assert json.loads((ROOT / "manifests" / "manifest.schema.json").read_text()) == manifest_json_schema()


def test_the_iam_policies_are_those_of_the_example() -> None:
    """After a change of the example: `lambda-warden iam-policy --manifest manifests/example.yaml`."""
    published = json.loads((ROOT / "manifests" / "iam-policy.json").read_text())
    assert published == policies(load_manifests([EXAMPLE]).rules)


def example_of(host: Host) -> str:
    """What `install --print` would show on a machine of nobody's."""
    command = ["/home/you/.local/bin/lambda-warden", "serve", "--manifest", "~/.config/lambda-warden/manifest.yaml"]
    return snippet(host, "lambda-warden", host.entry(command, {"AWS_PROFILE": "ops"}))


@pytest.mark.parametrize("name", HOSTS)
def test_a_hosts_snippet_is_made_of_the_table_and_starts_the_server(name: str) -> None:
    """After a change of the table: `UPDATE_SNAPSHOTS=1 pytest tests/test_docs.py`."""
    path = SNIPPETS / f"{name}.{HOSTS[name].format}"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(example_of(HOSTS[name]))
    assert path.read_text() == example_of(HOSTS[name])
    entry = servers(HOSTS[name], path, path.read_text())["lambda-warden"]
    command, *arguments = entry["args"]
    assert command == "serve"
    assert isinstance(main, click.Group)
    parsed = main.commands["serve"].make_context("serve", arguments)
    assert parsed.params["manifests"] == (Path.home() / ".config" / "lambda-warden" / "manifest.yaml",)
    assert f"| `{name}` | [{HOSTS[name].title}](../manifests/clients/{path.name})" in CLIENTS


def test_there_is_no_snippet_of_another_host() -> None:
    assert {path.stem for path in SNIPPETS.iterdir()} == set(HOSTS)


def test_the_settings_have_a_json_schema() -> None:
    printed = json.loads(CliRunner().invoke(main, ["schema", "settings"]).stdout)
    Draft202012Validator.check_schema(printed)
    assert printed["properties"].keys() == Settings.model_fields.keys()
    assert all(setting["description"] for setting in printed["properties"].values())


def test_the_threats_name_tests_that_exist() -> None:
    named = set(re.findall(r"`(tests/[\w/.]+)", (ROOT / "SECURITY.md").read_text()))
    assert len(named) > 15
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_architecture_names_every_folder_and_tests_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    folders = {path.parent.name for path in (ROOT / PACKAGE).glob("*/__init__.py")}
    assert set(re.findall(r"^\| `(\w+)/` \|", text, re.M)) == folders
    named = re.findall(r"`(tests/[\w/.]+)(?:::(\w+))?`", text)
    assert len(named) > 10
    assert [(path, test) for path, test in named if f"def {test}" not in (ROOT / path).read_text()] == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_still_finds_the_guard_that_it_takes_out(mutant: Mutant) -> None:
    """`python tests/security/mutants.py` shows that the tests notice; here, that it would take something out."""
    assert (ROOT / PACKAGE / mutant.file).read_text().count(mutant.old) == 1
    assert all((ROOT / path.partition("::")[0]).exists() for path in mutant.tests.split())


def test_the_changelog_speaks_of_this_version() -> None:
    assert f"## {__version__} " in (ROOT / "CHANGELOG.md").read_text()
