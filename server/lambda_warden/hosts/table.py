"""The hosts, as data: where each keeps its servers, what an entry looks like there, and its own command for it.

Sources: each host's documentation of MCP servers. Claude Desktop on Windows is a package whose files Windows puts
into a folder of the package (anthropics/claude-code#26073); an entry beside it is never read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from lambda_warden.errors import SettingsError

Entry = dict[str, Any]
"""What a host's configuration says of one server."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where hosts look for their files.

    Attributes:
        platform: as `sys.platform` has it.
        home: the user's folder.
        variables: of the environment.
    """

    platform: str
    home: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def folder(self, variable: str, *otherwise: str) -> Path:
        """The folder that a variable names, or one below the user's."""
        named = self.variables.get(variable)
        return Path(named) if named else self.home.joinpath(*otherwise)

    @property
    def application_data(self) -> Path:
        """Where programs with a window keep what they are set up with."""
        match self.platform:
            case "darwin":
                return self.home / "Library" / "Application Support"
            case "win32":
                return self.folder("APPDATA", "AppData", "Roaming")
            case _:
                return self.folder("XDG_CONFIG_HOME", ".config")


@dataclass(frozen=True, slots=True)
class OwnCommand:
    """A host's own command for its servers. Its arguments' words in capitals stand for what is said of a server.

    Attributes:
        program: what it is called on the PATH.
        add: the arguments that add a server.
        remove: the arguments that remove one; None where the host has no command for it.
        replaces: whether adding a server of the same name replaces it.
    """

    program: str
    add: tuple[str, ...]
    remove: tuple[str, ...] | None
    replaces: bool

    def adding(self, name: str, entry: Entry) -> list[str]:
        """The arguments that add a server."""
        words = {
            "NAME": [name],
            "JSON": [json.dumps(entry)],
            "NAMED_JSON": [json.dumps({"name": name, **entry})],
            "ENV": [part for pair in entry.get("env", {}).items() for part in ("--env", "=".join(pair))],
            "COMMAND": [entry["command"], *entry["args"]],
        }
        return [part for word in self.add for part in words.get(word, [word])]

    def removing(self, name: str) -> list[str] | None:
        """The arguments that remove one."""
        return None if self.remove is None else [name if word == "NAME" else word for word in self.remove]


@dataclass(frozen=True, slots=True)
class Host:
    """One host.

    Attributes:
        title: what people call it.
        container: the object, or table, of its file that holds the servers by name.
        file: where its file is.
        format: of that file; `json` with comments.
        keys: what its entries have beside command, args and env.
        own: its own command, if it has one.
    """

    title: str
    container: str
    file: Callable[[Machine], Path]
    format: Literal["json", "toml"] = "json"
    keys: Mapping[str, Any] = field(default_factory=dict)
    own: OwnCommand | None = None

    def entry(self, command: list[str], env: Mapping[str, str]) -> Entry:
        """What its file says of a server that a command starts."""
        variables = {"env": dict(env)} if env else {}
        return {**self.keys, "command": command[0], "args": command[1:], **variables}


def _claude_desktop(machine: Machine) -> Path:
    below = Path("Claude", "claude_desktop_config.json")
    if machine.platform == "win32":
        local = machine.folder("LOCALAPPDATA", "AppData", "Local")
        packages = [each / "LocalCache" / "Roaming" / below for each in sorted((local / "Packages").glob("Claude_*"))]
        used = [path for path in packages if path.exists()] or packages
        if len(used) > 1:
            raise SettingsError(f"there are several: {', '.join(map(str, used))}. Name one with --file")
        if used:
            return used[0]
    return machine.application_data / below


_STDIO: Final = {"type": "stdio"}

HOSTS: Final[Mapping[str, Host]] = {
    "claude-desktop": Host("Claude Desktop", "mcpServers", _claude_desktop),
    "claude-code": Host(
        "Claude Code",
        "mcpServers",
        lambda machine: machine.folder("CLAUDE_CONFIG_DIR") / ".claude.json",
        keys=_STDIO,
        own=OwnCommand(
            "claude",
            ("mcp", "add-json", "--scope", "user", "NAME", "JSON"),
            ("mcp", "remove", "--scope", "user", "NAME"),
            replaces=False,
        ),
    ),
    "vscode": Host(
        "VS Code",
        "servers",
        lambda machine: machine.application_data / "Code" / "User" / "mcp.json",
        keys=_STDIO,
        own=OwnCommand("code", ("--add-mcp", "NAMED_JSON"), None, replaces=True),
    ),
    "cursor": Host("Cursor", "mcpServers", lambda machine: machine.home / ".cursor" / "mcp.json"),
    "codex": Host(
        "Codex",
        "mcp_servers",
        lambda machine: machine.folder("CODEX_HOME", ".codex") / "config.toml",
        format="toml",
        own=OwnCommand(
            "codex", ("mcp", "add", "NAME", "ENV", "--", "COMMAND"), ("mcp", "remove", "NAME"), replaces=True
        ),
    ),
    "kiro": Host("Kiro", "mcpServers", lambda machine: machine.home / ".kiro" / "settings" / "mcp.json"),
    "copilot-cli": Host(
        "Copilot CLI",
        "mcpServers",
        lambda machine: machine.folder("COPILOT_HOME", ".copilot") / "mcp-config.json",
        keys={"type": "local", "tools": ["*"]},
    ),
}
