"""A host's file, edited: one entry is put in or taken out, and all else stays as it is, comments included."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

from lambda_warden.errors import SettingsError
from lambda_warden.hosts.table import Entry, Host
from lambda_warden.jsontools.jsonc import JsoncError, loads, remove_member, set_member

BACKUP: Final = ".lambda-warden.bak"
"""What the file as it was is called: this behind its name."""


def read(path: Path) -> str:
    """What a file says, empty if it isn't there. Line ends stay.

    Raises:
        SettingsError: if it can't be read as text.
    """
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} can't be read, and is left as it is: {error}") from None


def servers(host: Host, path: Path, text: str) -> dict[str, Any]:
    """The servers that a host's file has, by name. Raises `SettingsError` if it can't be read."""
    found = _parsed(host, path, text).get(host.container, {})
    if not isinstance(found, dict):
        raise SettingsError(f"{path} is left as it is: {host.container} is no object")
    return found


def edited(host: Host, path: Path, text: str, name: str, entry: Entry | None) -> str:
    """The file's text with an entry of that name, or without one where `entry` is None.

    Raises:
        SettingsError: if the file can't be read, or anything else in it would change.
    """
    known = servers(host, path, text)
    if known.get(name) == entry:
        return text
    edit = _edited_json if host.format == "json" else _edited_toml
    try:
        made = edit(host, text, name, entry)
    except (JsoncError, TOMLKitError) as error:
        raise SettingsError(f"{path} is left as it is: {error}") from None
    wanted = {key: value for key, value in {**known, name: entry}.items() if value is not None}
    before, after = _parsed(host, path, text), _parsed(host, path, made)
    if after.pop(host.container, {}) != wanted or after != {k: v for k, v in before.items() if k != host.container}:
        raise SettingsError(f"{path} is left as it is: it can't be edited without changing what else it says")
    return made


def write(path: Path, text: str) -> Path | None:
    """Replace a file at once, and keep the one before beside it. A link goes on leading where it leads.

    Returns:
        The file before, if there was one.

    Raises:
        OSError: if it can't be written. Then it is as it was.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    backup = path.with_name(path.name + BACKUP) if path.exists() else None
    descriptor, new = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # readable by its owner alone
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
        if backup is not None:
            shutil.copy2(path, backup)
            shutil.copymode(path, new)
        Path(new).replace(path)
    except OSError:
        Path(new).unlink(missing_ok=True)
        raise
    return backup


def snippet(host: Host, name: str, entry: Entry) -> str:
    """A file that has this entry alone."""
    if host.format == "toml":
        return _edited_toml(host, "", name, entry)
    return json.dumps({host.container: {name: entry}}, indent=2, ensure_ascii=False) + "\n"


def _parsed(host: Host, path: Path, text: str) -> dict[str, Any]:
    try:
        found = loads(text) if host.format == "json" else tomlkit.parse(text).unwrap()
    except (JsoncError, TOMLKitError) as error:
        raise SettingsError(f"{path} can't be read, and is left as it is: {error}") from None
    if not isinstance(found, dict):
        raise SettingsError(f"{path} is left as it is: it holds no object")
    return found


def _edited_json(host: Host, text: str, name: str, entry: Entry | None) -> str:
    if entry is None:
        return remove_member(text, host.container, name)
    return set_member(text, host.container, name, entry)


def _edited_toml(host: Host, text: str, name: str, entry: Entry | None) -> str:
    document = tomlkit.parse(text)
    if name in document.get(host.container, {}):
        del document[host.container][name]
    if entry is None:
        left = tomlkit.dumps(document)
        return left[:-1] if left.endswith("\n\n") else left  # without the line that was put between
    # At the end, as a table of its own: whatever stands there is not touched.
    before = tomlkit.dumps(document).rstrip("\r\n")
    made = tomlkit.document()
    made[host.container] = tomlkit.table(is_super_table=True)
    made[host.container][name] = _table(entry)
    return (before + "\n\n" if before else "") + tomlkit.dumps(made)


def _table(entry: Mapping[str, Any]) -> tomlkit.items.Table:
    table = tomlkit.table()
    for key, value in entry.items():
        if isinstance(value, dict):
            table[key] = tomlkit.inline_table()
            table[key].update(value)
        else:
            table[key] = value
    return table
