"""`lambda-warden install` and `uninstall`: into real files of each host, and by a host's own command."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lambda_warden.cli import main
from lambda_warden.hosts.config_file import BACKUP, servers
from lambda_warden.hosts.table import HOSTS, Machine
from support.warden import allow, write_manifest

OTHERS = {
    "json": '{\n    // mine\n    "CONTAINER": {\n        "docs": {"command": "npx"}, // from npm\n    },\n}\n',
    "toml": '# mine\n[CONTAINER.docs]\ncommand = "npx"  # from npm\n',
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, with a PATH on which no host is."""
    made = tmp_path / "home"
    (made / "bin").mkdir(parents=True)
    for name in ("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "COPILOT_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(made))
    monkeypatch.setenv("PATH", str(made / "bin"))
    write_manifest(made, "http://127.0.0.1:9", [allow("f")])
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def install(home: Path, host: str, *arguments: str) -> Result:
    return run("install", host, "--manifest", str(home / "manifest.yaml"), "--profile", "ops", *arguments)


def file_of(home: Path, host: str) -> Path:
    return HOSTS[host].file(Machine(sys.platform, home))


def entries(home: Path, host: str) -> dict[str, Any]:
    path = file_of(home, host)
    return servers(HOSTS[host], path, path.read_text())


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_gets_an_entry_once_and_loses_it_again(host: str, home: Path) -> None:
    path = file_of(home, host)
    path.parent.mkdir(parents=True, exist_ok=True)
    before = OTHERS[HOSTS[host].format].replace("CONTAINER", HOSTS[host].container)
    path.write_text(before)
    shown = install(home, host, "--dry-run")
    assert (shown.exit_code, path.read_text()) == (0, before)
    assert [line for line in shown.stdout.splitlines() if line.startswith("-") and not line.startswith("---")] == []
    assert "lambda-warden" in shown.stdout

    done = install(home, host)
    assert done.exit_code == 0, done.output
    first = path.read_bytes()
    entry = entries(home, host)["lambda-warden"]
    assert entry["env"] == {"AWS_PROFILE": "ops"}
    assert Path(entry["command"]).is_absolute()
    assert os.access(entry["command"], os.X_OK)
    assert entry["args"][-3:] == ["serve", "--manifest", str(home / "manifest.yaml")]
    assert path.with_name(path.name + BACKUP).read_text() == before

    again = install(home, host)
    assert (again.exit_code, path.read_bytes()) == (0, first)
    assert "is already in" in again.stdout
    assert install(home, host, "--region", "us-east-1", "--env", "LAMBDA_WARDEN_PRINCIPAL=ann").exit_code == 0
    assert entries(home, host)["lambda-warden"]["env"] == {
        "AWS_PROFILE": "ops",
        "AWS_DEFAULT_REGION": "us-east-1",
        "LAMBDA_WARDEN_PRINCIPAL": "ann",
    }

    assert run("uninstall", host, "--dry-run").exit_code == 0
    assert "lambda-warden was taken out of" in run("uninstall", host).stdout
    assert path.read_text() == before
    assert run("uninstall", host).stdout == f"lambda-warden is not in {path}. Nothing changed.\n"


def test_a_file_that_is_not_there_is_made_and_names_are_kept_apart(home: Path) -> None:
    assert install(home, "kiro", "--name", "one").exit_code == 0
    assert install(home, "kiro", "--name", "two").exit_code == 0
    assert run("uninstall", "kiro", "--name", "one").exit_code == 0
    assert list(entries(home, "kiro")) == ["two"]
    elsewhere = home / "other.json"
    assert install(home, "vscode", "--file", str(elsewhere)).exit_code == 0
    assert list(json.loads(elsewhere.read_text())["servers"]) == ["lambda-warden"]


@pytest.mark.parametrize("host", HOSTS)
def test_print_shows_the_entry_and_writes_nothing(host: str, home: Path) -> None:
    printed = install(home, host, "--print")
    assert printed.exit_code == 0
    assert list(servers(HOSTS[host], Path("printed"), printed.stdout)) == ["lambda-warden"]
    assert not file_of(home, host).exists()


def test_what_can_not_be_right_changes_nothing(home: Path) -> None:
    path = file_of(home, "cursor")
    path.parent.mkdir()
    path.write_text('{"mcpServers": {')
    for refused in (install(home, "cursor"), run("uninstall", "cursor")):
        assert refused.exit_code == 1
        assert f"{path} can't be read, and is left as it is: line 1" in refused.stderr
    assert [each.name for each in path.parent.iterdir()] == ["mcp.json"]
    for arguments, problem in [
        (["--env", "KEY"], "Expected KEY=VALUE"),
        (["--name", "a b"], "no name of a server"),
        (["--manifest", str(home / "none.yaml")], "none.yaml: No such file"),
    ]:
        refused = install(home, "kiro", *arguments)
        assert refused.exit_code == 2
        assert problem in refused.stderr
    assert not file_of(home, "kiro").exists()


def test_a_manifest_where_an_agent_may_work_is_warned_of(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    assert "an agent that may edit files there" in install(home, "kiro").stderr


# By the host's own command


def script(home: Path, name: str, *lines: str) -> Path:
    """A command on the PATH that notes what it is called with. Gives the notes."""
    notes, path = home / f"{name}.called", home / "bin" / name
    note = f"import json, sys; open({str(notes)!r}, 'a').write(json.dumps(sys.argv[1:]) + '\\n')"
    path.write_text("\n".join(["#!/bin/sh", f'{shlex.quote(sys.executable)} -c {shlex.quote(note)} "$@"', *lines]))
    path.chmod(0o755)
    return notes


def called(notes: Path) -> list[list[str]]:
    return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []


def test_claude_code_is_told_by_its_own_command(home: Path) -> None:
    notes = script(home, "claude")
    shown = install(home, "claude-code", "--dry-run")
    assert "would run: " in shown.stdout
    assert called(notes) == []
    assert install(home, "claude-code").exit_code == 0
    ((*words, entry),) = called(notes)
    assert words == ["mcp", "add-json", "--scope", "user", "lambda-warden"]
    # As claude would have written it.
    path = file_of(home, "claude-code")
    path.write_text(json.dumps({"mcpServers": {"lambda-warden": json.loads(entry)}}))
    assert "Nothing changed" in install(home, "claude-code").stdout
    assert install(home, "claude-code", "--region", "us-east-1").exit_code == 0
    assert run("uninstall", "claude-code").exit_code == 0
    remove = ["mcp", "remove", "--scope", "user", "lambda-warden"]
    _, first, second, third = called(notes)
    assert (first, second[:2], third) == (remove, ["mcp", "add-json"], remove)


def test_codex_and_vs_code_are_told_by_their_own_commands(home: Path) -> None:
    codex, code = script(home, "codex"), script(home, "code")
    assert install(home, "codex").exit_code == 0
    ((*words, manifest),) = called(codex)
    assert words[:6] == ["mcp", "add", "lambda-warden", "--env", "AWS_PROFILE=ops", "--"]
    assert manifest == str(home / "manifest.yaml")
    assert install(home, "vscode").exit_code == 0
    ((option, entry),) = called(code)
    assert (option, json.loads(entry)["name"], json.loads(entry)["type"]) == ("--add-mcp", "lambda-warden", "stdio")
    # It has no command that removes one.
    path = file_of(home, "vscode")
    path.parent.mkdir(parents=True)
    path.write_text('{"servers": {"lambda-warden": {}}}')
    assert run("uninstall", "vscode").exit_code == 0
    assert path.read_text() == '{"servers": {}}'
    assert len(called(code)) == 1


def test_a_command_that_fails_is_told_with_what_it_said(home: Path) -> None:
    script(home, "claude", "echo 'not logged in' >&2", "exit 3")
    failed = install(home, "claude-code")
    assert failed.exit_code == 1
    assert "it failed: not logged in. With --file" in failed.stderr
    assert "is now in" not in failed.stdout
    # Then its file is edited.
    assert install(home, "claude-code", "--file", str(file_of(home, "claude-code"))).exit_code == 0
    assert list(entries(home, "claude-code")) == ["lambda-warden"]


def test_an_entry_that_was_to_be_replaced_stands_again_where_the_host_does_not_take_the_new_one(home: Path) -> None:
    path = file_of(home, "claude-code")
    path.write_text('{"mcpServers": {"lambda-warden": {"command": "old"}}, "theme": "dark"}')
    removed = shlex.quote('{"mcpServers": {}, "theme": "dark"}')
    script(home, "claude", f'test "$2" = remove || exit 3\necho {removed} > {shlex.quote(str(path))}')
    assert install(home, "claude-code").exit_code == 1
    assert json.loads(path.read_text()) == {"mcpServers": {"lambda-warden": {"command": "old"}}, "theme": "dark"}
