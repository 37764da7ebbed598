"""Kept results: nothing unredacted is in their file, and nobody but the caller reads them, nor later than allowed."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import MCPError

from lambda_warden.errors import SettingsError
from lambda_warden.model.caller import Caller
from lambda_warden.results.kept import KeptResults
from lambda_warden.store.results import CHUNK_BYTES
from lambda_warden.store.seal import Seal
from support.clock import Clock
from support.kept import CALL, KEY, RECORDS, as_json, keep_returned, opened
from support.scripted_endpoint import ScriptedEndpoint
from support.warden import Warden, allow, structured, text_of, warden

pytestmark = pytest.mark.anyio

KEY_ID = "AKIA" + "IOSFODNN7EXAMPLE"
PASSWORD = "hunter2-and-more"
CARD = "4111-0000-1111"
SECRETS = (KEY_ID, PASSWORD, CARD)
SEALS = [None, Seal(KEY)]

ANSWERS = {
    "JSON": as_json({"card": {"number": CARD}, "note": f"id {KEY_ID}", "password": PASSWORD}),
    "escaped JSON": json.dumps({"card": {"number": CARD}, "key": "@"}).replace("@", "\\u0041" + KEY_ID[1:]).encode(),
    "a secret over a chunk's end": as_json(
        {"card": {"number": CARD}, "filler": "x" * (CHUNK_BYTES - 60), "note": f"id {KEY_ID} {KEY_ID} {KEY_ID}"}
    ),
    "text": f"password={PASSWORD} id {KEY_ID} {CARD}".encode(),
    "binary": b"\xff" + CARD.encode(),
    "JSON with a key twice": f'{{"card": {{"number": "{CARD}"}}, "card": {{"number": "{CARD}"}}}}'.encode(),
}
LOG = f"START\nusing {KEY_ID}\npassword={PASSWORD}\nEND".encode()


def in_files(folder: Path) -> bytes:
    """All that stands in the file, its write-ahead log and whatever else is beside it."""
    return b"".join(file.read_bytes() for file in folder.iterdir())


@pytest.mark.parametrize("seal", SEALS, ids=["plain", "sealed"])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_no_secret_is_ever_in_the_file(tmp_path: Path, seal: Seal | None, answer: bytes) -> None:
    with opened(tmp_path / "results.sqlite3", seal) as store:
        results = KeptResults(store, RECORDS)
        assert keep_returned(results, CALL, answer, LOG, redact="/card/number") is not None
        assert store.flush()
        with store.reading(CALL, "local") as entry:
            assert entry is not None
            assert entry.about.parts["payload"].redacted > 0
            assert entry.about.parts["log"].redacted == 2
        found = [secret for secret in SECRETS if secret.encode() in in_files(tmp_path)]
        assert found == []
    assert [secret for secret in SECRETS if secret.encode() in in_files(tmp_path)] == []


@pytest.mark.parametrize("seal", SEALS, ids=["plain", "sealed"])
def test_there_is_no_digest_that_a_redacted_place_could_be_guessed_by(tmp_path: Path, seal: Seal | None) -> None:
    answer = as_json({"card": {"number": 4}})
    with opened(tmp_path / "results.sqlite3", seal) as store:
        keep_returned(KeptResults(store, RECORDS), CALL, answer, redact="/card/number")
        assert store.flush()
        assert hashlib.sha256(answer).hexdigest().encode() not in in_files(tmp_path)


@given(before=st.text(max_size=50), after=st.text(max_size=50), member=st.text(max_size=10), sealed=st.booleans())
def test_a_marked_place_is_never_in_the_file(
    tmp_path_factory: pytest.TempPathFactory, before: str, after: str, member: str, sealed: bool
) -> None:
    folder = tmp_path_factory.mktemp("results")
    answer = as_json({member: before, "card": {"number": f"{before}{CARD}{after}"}})
    with opened(folder / "results.sqlite3", SEALS[sealed]) as store:
        keep_returned(KeptResults(store, RECORDS), CALL, answer, redact="/card/number")
        assert store.flush()
        assert CARD.encode() not in in_files(folder)


@pytest.fixture
async def running(endpoint: ScriptedEndpoint, tmp_path: Path) -> AsyncIterator[Warden]:
    async with warden(tmp_path, endpoint.url, allow("f")) as running:
        yield running


def results_of(running: Warden) -> KeptResults:
    assert running.inside is not None
    assert running.inside.results is not None
    return running.inside.results


async def test_another_principal_can_not_tell_a_result_from_one_that_never_was(running: Warden, tmp_path: Path) -> None:
    keep_returned(results_of(running), CALL, b"mine")
    assert structured(await running.call("read_result", invocation_id=CALL))["content"] == "mine"
    with opened(tmp_path / "results.sqlite3") as store:
        keep_returned(KeptResults(store, RECORDS), "f" * 32, b"theirs", caller=Caller("chat-ops"))
        assert store.flush()
    theirs, never = [await running.call("read_result", invocation_id=digit * 32) for digit in "fe"]
    assert theirs == never
    assert theirs.is_error
    assert "no such result, or it has expired" in text_of(theirs)
    for arguments in ({"query": "a"}, {"part": "log"}, {"cursor": "x"}):
        theirs, never = [await running.call("read_result", invocation_id=digit * 32, **arguments) for digit in "fe"]
        assert theirs == never


async def test_an_expired_result_is_gone_for_every_reader(
    endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with warden(tmp_path, endpoint.url, allow("f"), results_ttl=60) as running:
        clock, store = Clock(), results_of(running)._store
        monkeypatch.setattr(vars(store)["_clock"], "time_of_day", clock.time_of_day)
        keep_returned(results_of(running), CALL, b"mine")
        clock.now += 59
        assert not (await running.call("read_result", invocation_id=CALL)).is_error
        clock.now += 1
        assert "no such result, or it has expired" in text_of(await running.call("read_result", invocation_id=CALL))
        with pytest.raises(MCPError, match="no such result, or it has expired"):
            await running.client.read_resource(f"lambda-warden://invocations/{CALL}/payload")


async def test_the_file_is_its_owners_alone_and_reading_is_on_record(running: Warden, tmp_path: Path) -> None:
    keep_returned(results_of(running), CALL, b"mine")
    await running.call("read_result", invocation_id=CALL)
    ((kind, invocation_id, body),) = running.records()
    assert (kind, invocation_id) == ("read_result", CALL)
    assert json.loads(body) == {**json.loads(body), "principal": "local", "part": "payload"}
    assert "mine" not in body
    for file in tmp_path.glob("results.sqlite3*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_servers_results_are_written_before_it_ends(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with warden(tmp_path, endpoint.url, allow("f")) as running:
        for i in range(50):
            keep_returned(results_of(running), f"call-{i}", b"x" * 100_000)
    assert keep_returned(results_of(running), "late", b"x") is None
    with opened(tmp_path / "results.sqlite3") as store, store.reading("call-49", "local") as entry:
        assert entry is not None


@pytest.mark.parametrize("option", ["results", "results_key_file"])
async def test_a_file_of_results_or_a_key_that_can_not_be_used_stops_the_start(
    endpoint: ScriptedEndpoint, tmp_path: Path, option: str
) -> None:
    options: dict[str, Any] = {option: Path("/dev/null/file")}
    with pytest.raises(SettingsError, match="/dev/null/file"):
        async with warden(tmp_path, endpoint.url, allow("f"), **options):
            pass
