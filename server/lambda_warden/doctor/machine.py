"""This machine: the places of records and results, the approver's secret, pauses, and who called last."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final

from lambda_warden import __version__
from lambda_warden.approvals.secret import SecretError, read_approver
from lambda_warden.doctor.finding import Finding
from lambda_warden.errors import SettingsError
from lambda_warden.guard.rules import Rules
from lambda_warden.report.visible import inline
from lambda_warden.results.kept import seal_from
from lambda_warden.settings import Settings
from lambda_warden.store.audit_log import Kind, RecordError
from lambda_warden.store.opening import open_store
from lambda_warden.store.results import ResultError

_CALLS: Final[tuple[Kind, ...]] = ("intent", "denial")


def look_at_machine(settings: Settings, rules: Rules | None) -> Iterator[Finding]:
    """What is found here. Blocks while stores are opened.

    Args:
        settings: as `serve` would have them.
        rules: of the manifests; None if they can't be read.
    """
    yield _look("records", settings.records, lambda: _write_records(settings), "records")
    if settings.results_ttl and settings.results_max_bytes:
        yield _look("results", settings.results_store, lambda: _write_results(settings), "results")
    else:
        yield Finding("ok", "results", "none", "no results are kept")
    yield _approver(settings, rules)
    yield _last_client(settings)


def _look(check: str, place: Path | str, write: Callable[[], None], option: str) -> Finding:
    """Whether a store can be written. A file that is not there yet is not made."""
    subject = inline(str(place))
    if isinstance(place, Path) and not place.exists():
        folder = next(each for each in place.absolute().parents if each.exists())
        if os.access(folder, os.W_OK | os.X_OK):
            return Finding("ok", check, subject, "is not there yet; the first start makes it")
        step = f"name another file with --{option}, or let this user write to {folder}"
        return Finding("problem", check, subject, f"can't be made: {folder} is not writable", step)
    try:
        write()
    except (RecordError, ResultError, SettingsError) as error:
        step = f"put right what it says, or name another place with --{option}"
        if "://" in subject:
            step = f"`lambda-warden store check {subject}` says what is missing"
        return Finding("problem", check, subject, inline(str(error)), step)
    return Finding("ok", check, subject, "can be opened and written")


def _write_records(settings: Settings) -> None:
    # As any command that writes: that it was here is on record.
    with closing(open_store(settings.records).audit_log(about={"version": __version__, "command": "doctor"})) as log:
        log.check_writable()


def _write_results(settings: Settings) -> None:
    store = open_store(settings.results_store)
    seal = seal_from(settings.results_key_file)
    ttl, most = settings.results_ttl, settings.results_max_bytes
    store.result_store(ttl_seconds=ttl, max_bytes=most, seal=seal).close()


def _approver(settings: Settings, rules: Rules | None) -> Finding:
    check, path = "approver", settings.approvals_secret_file
    try:
        known = read_approver(path) is not None
    except SecretError as error:
        return Finding(
            "problem", check, str(path), inline(str(error)), "`lambda-warden approvals init` sets another one"
        )
    asking = [] if rules is None else [rule for rule in rules.all if rule.spec.asks and rule.spec.asked.by != "client"]
    if known:
        return Finding("ok", check, str(path), "the approver's secret is set")
    if not asking:
        return Finding("ok", check, str(path), "no secret is set, and no rule asks out of band")
    alone = [rule for rule in asking if rule.spec.asked.by == "operator"]
    step = "`lambda-warden approvals init`, in a terminal of the person who approves"
    if alone:
        return Finding(
            "problem",
            check,
            str(path),
            f"no secret is set, which is needed for each call of {len(alone)} of the rules",
            step,
        )
    detail = f"no secret is set: calls of {len(asking)} of the rules are denied where the client can't ask a person"
    return Finding("warning", check, str(path), detail, step)


def _last_client(settings: Settings) -> Finding:
    """Records have a client's name and version; whether it can ask a person, or takes tasks, they don't have."""
    check, subject = "client", "the last call on record"
    if isinstance(settings.records, Path) and not settings.records.exists():
        return Finding("ok", check, subject, "none yet")
    try:
        with closing(open_store(settings.records).audit_reader()) as reader:
            newest = next(islice(reader.entries(_CALLS), 1), None)
    except (RecordError, SettingsError) as error:
        return Finding("warning", check, subject, f"can't be told: {inline(str(error))}", "see `records`")
    if newest is None:
        return Finding("ok", check, subject, "none yet")
    client = inline(str(newest.event.fields().get("client") or "a client that gave no name"))
    unknown = "whether it can ask a person or takes tasks is not on record"
    return Finding("ok", check, subject, f"{client}, at {newest.event.at}; {unknown}")
