"""Each host's file: where it is on each platform, and what stays as it is when an entry is put in or taken out."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from lambda_warden.errors import SettingsError
from lambda_warden.hosts import config_file
from lambda_warden.hosts.config_file import BACKUP, edited, servers, write
from lambda_warden.hosts.table import HOSTS, Machine

ENTRY = {"command": "/opt/lambda-warden", "args": ["serve"], "env": {"AWS_PROFILE": "ops"}}
TOML = """\
# mine
model = "o5"  # the best
[mcp_servers.docs]
command = "npx" # from npm
args = [
    "-y",  # yes
]

[projects."/work"]
trust_level = "trusted"
"""


@pytest.mark.parametrize(
    ("host", "platform", "variables", "expected"),
    [
        ("claude-desktop", "darwin", {}, "Library/Application Support/Claude/claude_desktop_config.json"),
        ("claude-desktop", "linux", {}, ".config/Claude/claude_desktop_config.json"),
        ("claude-desktop", "linux", {"XDG_CONFIG_HOME": "{}/x"}, "x/Claude/claude_desktop_config.json"),
        ("claude-desktop", "win32", {}, "AppData/Roaming/Claude/claude_desktop_config.json"),
        ("claude-desktop", "win32", {"APPDATA": "{}/r"}, "r/Claude/claude_desktop_config.json"),
        ("claude-code", "linux", {}, ".claude.json"),
        ("claude-code", "win32", {"CLAUDE_CONFIG_DIR": "{}/c"}, "c/.claude.json"),
        ("vscode", "darwin", {}, "Library/Application Support/Code/User/mcp.json"),
        ("vscode", "linux", {}, ".config/Code/User/mcp.json"),
        ("vscode", "win32", {}, "AppData/Roaming/Code/User/mcp.json"),
        ("cursor", "win32", {}, ".cursor/mcp.json"),
        ("codex", "linux", {}, ".codex/config.toml"),
        ("codex", "darwin", {"CODEX_HOME": "{}/cx"}, "cx/config.toml"),
        ("kiro", "linux", {}, ".kiro/settings/mcp.json"),
        ("copilot-cli", "linux", {}, ".copilot/mcp-config.json"),
        ("copilot-cli", "linux", {"COPILOT_HOME": "{}/co"}, "co/mcp-config.json"),
    ],
)
def test_a_hosts_file_is_where_the_host_looks(
    host: str, platform: str, variables: dict[str, str], expected: str, tmp_path: Path
) -> None:
    named = {name: value.format(tmp_path) for name, value in variables.items()}
    assert HOSTS[host].file(Machine(platform, tmp_path, named)) == tmp_path / expected


def test_a_packaged_claude_desktop_reads_the_file_of_its_package(tmp_path: Path) -> None:
    machine, packages = Machine("win32", tmp_path, {"LOCALAPPDATA": str(tmp_path / "l")}), tmp_path / "l" / "Packages"
    folders = [packages / name / "LocalCache" / "Roaming" / "Claude" for name in ("Claude_one", "Claude_two")]
    folders[0].mkdir(parents=True)
    file = "claude_desktop_config.json"
    assert HOSTS["claude-desktop"].file(machine) == folders[0] / file
    folders[1].mkdir(parents=True)
    with pytest.raises(SettingsError, match=r"Claude_one.*Claude_two.*--file"):
        HOSTS["claude-desktop"].file(machine)
    (folders[1] / file).write_text("{}")
    assert HOSTS["claude-desktop"].file(machine) == folders[1] / file


@pytest.mark.parametrize("text", ["", "# nothing yet\n", TOML, TOML.replace("[mcp_servers.docs]", "[other]")])
def test_toml_keeps_all_else(text: str) -> None:
    host, path = HOSTS["codex"], Path("config.toml")
    made = edited(host, path, text, "lambda-warden", ENTRY)
    assert made.startswith(text)
    assert tomllib.loads(made)["mcp_servers"]["lambda-warden"] == ENTRY
    assert edited(host, path, made, "lambda-warden", ENTRY) == made
    other = edited(host, path, made, "lambda-warden", {**ENTRY, "args": []})
    assert servers(host, path, other)["lambda-warden"] == {**ENTRY, "args": []}
    assert edited(host, path, other, "lambda-warden", None).rstrip("\n") == text.rstrip("\n")


@pytest.mark.parametrize(
    ("host", "text", "problem"),
    [
        ("cursor", '{"mcpServers": ', "can't be read"),
        ("cursor", "[]", "holds no object"),
        ("cursor", '{"mcpServers": 1}', "no object"),
        ("codex", "a = ", "can't be read"),
        ("codex", "mcp_servers = 1", "no object"),
        ("codex", 'mcp_servers = {docs = {command = "npx"}}', "left as it is"),
    ],
)
def test_what_is_not_understood_is_not_edited(host: str, text: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        edited(HOSTS[host], Path("file"), text, "lambda-warden", ENTRY)


def test_a_file_is_replaced_where_its_link_leads_with_its_mode_and_the_one_before_beside_it(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles" / "mcp.json", tmp_path / "mcp.json"
    assert write(real, "1") is None
    assert real.stat().st_mode & 0o777 == 0o600
    real.chmod(0o640)
    link.symlink_to(real)
    assert write(link, "2") == real.with_name("mcp.json" + BACKUP)
    assert (link.is_symlink(), real.read_text(), real.with_name("mcp.json" + BACKUP).read_text()) == (True, "2", "1")
    assert real.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in real.parent.iterdir()) == ["mcp.json", "mcp.json" + BACKUP]


def test_an_edit_that_would_change_anything_else_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_file, "set_member", lambda *_: '{"mcpServers": {"lambda-warden": {}}}')
    with pytest.raises(SettingsError, match="without changing what else it says"):
        edited(HOSTS["cursor"], Path("file"), '{"mcpServers": {"docs": {}}}', "lambda-warden", {})
