"""`lambda-warden install` and `uninstall`: an entry in the configuration of an MCP host."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from lambda_warden.commands.console import as_json_option, print_json
from lambda_warden.commands.manifests import load_rules, need_manifest, warn_of_manifests_in
from lambda_warden.commands.options import UserPath
from lambda_warden.commands.records_file import problems
from lambda_warden.errors import SettingsError
from lambda_warden.hosts.config_file import edited, read, servers, snippet, write
from lambda_warden.hosts.table import HOSTS, Entry, Host, Machine

_F = TypeVar("_F", bound=Callable[..., Any])
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_SECONDS: Final = 60

_host = click.argument("host", type=click.Choice(list(HOSTS)), metavar="HOST")
_hosts = f"HOST is one of: {', '.join(HOSTS)}."
_manifests = click.option(
    "--manifest",
    "manifests",
    type=UserPath(path_type=Path),
    multiple=True,
    callback=need_manifest,
    envvar="LAMBDA_WARDEN_MANIFEST",
    help="The allowlist that the server is started with. May be given several times.",
)


def _named(_: click.Context, __: click.Parameter, value: str) -> str:
    if not _NAME.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no name of a server. Expected letters, digits, - and _, at most 64")
    return value


def _place_options(command: _F) -> _F:
    """The options that say which entry of which file."""
    file = click.option(
        "--file", type=UserPath(path_type=Path, dir_okay=False), help="The host's file, if it is another than usual."
    )
    name = click.option(
        "--name", default="lambda-warden", show_default=True, callback=_named, help="Name of its entry."
    )
    dry_run = click.option("--dry-run", is_flag=True, help="Print what would change, and change nothing.")
    return name(file(dry_run(as_json_option(command))))


@click.command(epilog=_hosts)
@_host
@_manifests
@click.option("--profile", envvar="AWS_PROFILE", show_envvar=True, help="Profile of the AWS config files.")
@click.option("--region", envvar="AWS_DEFAULT_REGION", show_envvar=True, help="Region of names without one.")
@click.option(
    "--env",
    "variables",
    multiple=True,
    metavar="KEY=VALUE",
    help="Environment variable for the server. May be given several times.",
)
@click.option("--print", "print_only", is_flag=True, help="Print the entry, and change nothing.")
@_place_options
def install(
    host: str,
    manifests: tuple[Path, ...],
    profile: str | None,
    region: str | None,
    variables: tuple[str, ...],
    print_only: bool,
    name: str,
    file: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put lambda-warden into the configuration of an MCP host.

    It is done by the host's own command if that is there, else in the host's file. All else in the file stays as it is,
    comments included; the file before is kept beside it. Hosts pass no variables on: what the server needs of them
    stands in its entry.
    """
    paths = [Path(os.path.abspath(path)) for path in manifests]  # noqa: PTH100 - a link stays one
    load_rules(paths)
    given = {"AWS_PROFILE": profile, "AWS_DEFAULT_REGION": region}
    env = {key: value for key, value in given.items() if value} | dict(map(_variable, variables))
    entry = HOSTS[host].entry(
        [*_command(), "serve", *(part for path in paths for part in ("--manifest", str(path)))], env
    )
    if print_only:
        click.echo(snippet(HOSTS[host], name, entry), nl=False)
        return
    warn_of_manifests_in(Path.cwd(), paths)
    with problems():
        _make(HOSTS[host], file, name, entry, dry_run=dry_run, as_json=as_json)


@click.command(epilog=_hosts)
@_host
@_place_options
def uninstall(host: str, name: str, file: Path | None, dry_run: bool, as_json: bool) -> None:
    """Take lambda-warden out of the configuration of an MCP host.

    Nothing else in it changes.
    """
    with problems():
        _make(HOSTS[host], file, name, None, dry_run=dry_run, as_json=as_json)


def _variable(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.BadParameter(f"{text!r} is no variable. Expected KEY=VALUE", param_hint="'--env'")
    return key, value


def _command() -> list[str]:
    """What starts this lambda-warden, from any folder and with any PATH."""
    python = Path(os.path.abspath(sys.executable))  # noqa: PTH100 - that of an environment is a link
    script = python.with_name("lambda-warden.exe" if sys.platform == "win32" else "lambda-warden")
    if "archive-v0" in python.parts:
        click.echo(
            "Warning: this runs from uv's cache, which may be emptied. `uv tool install lambda-warden` gives it a "
            "place that stays; install then anew.",
            err=True,
        )
    return [str(script)] if script.exists() else [str(python), "-m", "lambda_warden"]


def _make(host: Host, file: Path | None, name: str, entry: Entry | None, *, dry_run: bool, as_json: bool) -> None:
    change = _Change(host, file, name, entry, (lambda _: None) if as_json else click.echo)
    change.make(dry_run)
    if as_json:
        print_json(change.done)


class _Change:
    """One entry of a host that is to be there, or not (`entry` is None).

    `done` is what was changed, or would be, for `--json`: `commands` of the host, or else the `diff` of its file, which
    a dry run shows, and the `backup` that was made of it.
    """

    def __init__(
        self, host: Host, file: Path | None, name: str, entry: Entry | None, say: Callable[[str], object] = click.echo
    ) -> None:
        self._host, self._name, self._entry, self._say = host, name, entry, say
        self._path = file or host.file(Machine(sys.platform, Path.home(), os.environ))
        self._text = read(self._path)
        self._known = servers(host, self._path, self._text).get(name)
        self.done: dict[str, Any] = {
            "host": host.title,
            "name": name,
            "file": str(self._path),
            "changed": False,
            "commands": [],
            "diff": [],
            "backup": None,
        }
        # A file that was named is edited: the host's command knows its own one alone.
        self._program = _found(host) if file is None else None

    def make(self, dry_run: bool) -> None:
        """Make it, if it isn't so already, and say what was done."""
        title, entry = self._host.title, self._entry
        if self._known == entry:
            state = "is not in" if entry is None else "is already in"
            self._say(f"{self._name} {state} {self._path}. Nothing changed.")
            return
        self.done["changed"] = not dry_run
        commands = self._commands()
        if commands is None:
            self._edit(dry_run)
        else:
            self._run(commands, dry_run)
        if not dry_run:
            done = "was taken out of" if entry is None else "is now in"
            self._say(f"{self._name} {done} {title}'s configuration. Restart {title}, so that it reads it.")

    def _commands(self) -> list[list[str]] | None:
        """The host's commands that make it, if it has them."""
        own, program = self._host.own, self._program
        if own is None or program is None:
            return None
        remove = own.removing(self._name)
        if self._entry is None:
            return None if remove is None else [[program, *remove]]
        add = own.adding(self._name, self._entry)
        first = [] if self._known is None or own.replaces or remove is None else [[program, *remove]]
        return [*first, [program, *add]]

    def _run(self, commands: list[list[str]], dry_run: bool) -> None:
        self.done["commands"] = commands
        for command in commands:
            self._say(f"{'would run' if dry_run else 'running'}: {shlex.join(command)}")
            if dry_run:
                continue
            problem = _problem_of(command)
            if problem is None:
                continue
            if command is not commands[0] and self._known is not None:  # which the command before took out
                _Change(self._host, self._path, self._name, self._known, self._say)._edit(dry_run=False)
            raise SettingsError(f"{problem}. With --file {self._path} its file is edited instead")

    def _edit(self, dry_run: bool) -> None:
        made = edited(self._host, self._path, self._text, self._name, self._entry)
        if dry_run:
            lines = self._text.splitlines(keepends=True), made.splitlines(keepends=True)
            diff = [line.rstrip("\r\n") for line in difflib.unified_diff(*lines, str(self._path), str(self._path))]
            self.done["diff"] = diff
            for line in diff:
                self._say(line)
            return
        try:
            backup = write(self._path, made)
        except OSError as error:
            raise SettingsError(f"{self._path} can't be written: {error}") from None
        self.done["backup"] = str(backup) if backup else None
        self._say(f"wrote {self._path}{f'; the file before is {backup}' if backup else ''}")


def _problem_of(command: list[str]) -> str | None:
    """Run a host's command, and say what went wrong, if anything did."""
    try:
        done = subprocess.run(  # noqa: S603 - a host's, with arguments of ours
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return f"it failed: {(done.stderr or done.stdout).strip()[-500:]}" if done.returncode else None


def _found(host: Host) -> str | None:
    """The host's own command, if it is there. Scripts of the Windows shell are not taken: it reads arguments anew."""
    found = shutil.which(host.own.program) if host.own is not None else None
    return None if found is None or found.lower().endswith((".cmd", ".bat")) else found
