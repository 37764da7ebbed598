"""`lambda-warden records keygen`, `ship`, `find`, `verify --checkpoints` and `reconcile`, as an operator uses them."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lambda_warden.cli import main
from lambda_warden.store.opening import open_store
from lambda_warden.store.payload_digests import read_digests, with_keyed_digests
from support.builders import function_arn
from support.cloudtrail import deliver, management_event, trail_event

SENT = b'{"id":1}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Records of two writers: a call, and a denial of the same, as an earlier version recorded it."""
    path = tmp_path / "records.sqlite3"
    digests = read_digests(tmp_path / "payloads.key", make=True)
    asked = {"payload_sha256": hashlib.sha256(SENT).hexdigest(), "function": f"{function_arn('f')}:live"}
    with closing(open_store(path).audit_log()) as store:
        log = with_keyed_digests(store, digests)
        log.admit("call-1", {**asked, "invocation_type": "RequestResponse"}, [], 60)
        log.finish("call-1", {"outcome": "succeeded", "request_id": "r-1"}, ran=True)
    with closing(open_store(path).audit_log()) as log:
        log.append("denial", "call-2", asked)
    return path


def run(path: Path, *arguments: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, ["records", "--records", str(path), *arguments], input=stdin)


def test_a_key_is_made_once_and_its_public_half_printed(path: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    made = run(path, "keygen", str(key))
    assert made.exit_code == 0
    assert made.stdout.startswith("-----BEGIN PUBLIC KEY-----\n")
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    assert run(path, "keygen", str(key)).exit_code == 1
    assert key.read_bytes() == before


def test_what_is_missing_in_a_sink_is_brought_and_proves_the_records(path: Path, tmp_path: Path) -> None:
    key, public, sink = tmp_path / "key.pem", tmp_path / "public.pem", tmp_path / "sinks" / "one.jsonl"
    sink.parent.mkdir()
    public.write_text(run(path, "keygen", str(key)).stdout)
    ship = ("ship", "--sink", f"file://{sink}", "--checkpoint-key-file", str(key))
    assert run(path, *ship).stdout == f"5 records brought to file://{sink}\n"
    assert run(path, *ship).stdout.startswith("0 records brought")
    for place in (str(sink), str(sink.parent), f"file://{sink}"):
        proven = run(path, "verify", "--checkpoints", place, "--public-key", str(public))
        assert proven.exit_code == 0, proven.output
        assert proven.stdout.count(" anchored by the checkpoint of ") == 2
    with closing(open_store(path).audit_log()) as log:
        log.append("denial", "call-3", {})
    assert run(path, "ship", "--sink", f"file://{sink}").exit_code == 0
    proven = run(path, "verify", "--checkpoints", str(sink), "--public-key", str(public))
    assert f"writer {log.writer}: records 1 to 2 in the sink, not signed" in proven.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["verify", "--checkpoints", "x"], 2, "go together"),
        (["verify", "--public-key", "x"], 2, "go together"),
        (["verify", "--checkpoints", "gone", "--public-key", "key"], 1, "the key file key can't be used"),
        (["ship", "--sink", "syslog://x"], 1, "is no sink"),
        (["ship", "--sink", "file:///no/such/folder/x"], 1, "can't be written to"),
        (["ship", "--sink", "file:///tmp/x", "--checkpoint-key-file", "gone"], 1, "the key file gone can't be used"),
        (["reconcile", "--cloudtrail", "."], 1, "has no files of CloudTrail"),
        (["find", "--payload", "-", "--payload-key-file", "gone"], 1, "the key of payload digests"),
    ],
)
def test_what_can_not_be_done_is_one_clear_error(
    arguments: list[str], code: int, told: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    result = run(path, *arguments)
    assert (result.exit_code, "Traceback" in result.output) == (code, False)
    assert told in result.stderr


@pytest.mark.parametrize("given", [SENT, b'{"id": 1}\n', b'{"id":1}\n'])
def test_calls_are_found_by_their_payload(given: bytes, path: Path) -> None:
    found = run(path, "find", "--payload", "-", "--json", stdin=given)
    assert [json.loads(line)["invocation_id"] for line in found.stdout.splitlines()] == ["call-1", "call-2"]
    other = run(path, "find", "--payload", "-", stdin=b'{"id":2}')
    assert (other.exit_code, other.stdout) == (1, "")


def test_a_key_for_payloads_is_made_once_for_all_servers_of_a_folder(tmp_path: Path) -> None:
    key = tmp_path / "state" / "payloads.key"
    one = read_digests(key, make=True)
    assert key.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in key.parent.iterdir()] == ["payloads.key"]
    assert read_digests(key, make=True).of(SENT) == one.of(SENT) != hashlib.sha256(SENT).hexdigest()


def test_reconcile_prints_what_is_found_for_people_and_programs(path: Path, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    far = management_event(now - timedelta(hours=1)), management_event(now + timedelta(hours=1))
    trail = deliver(tmp_path / "trail", [trail_event("r-1"), *far])
    whole = run(path, "reconcile", "--cloudtrail", str(trail))
    assert (whole.exit_code, whole.stdout) == (0, "")
    assert whole.stderr == "1 call matches, of 1 invocation of CloudTrail\n"
    deliver(trail, [trail_event("r-1"), trail_event("r-2", "g\x1b", at=now), *far])
    bypassed = run(path, "reconcile", "--cloudtrail", str(trail))
    assert bypassed.exit_code == 1
    assert "no_record\tg\\u001b:live\t-\tr-2" in bypassed.stdout
    assert "1 no_record (!)" in bypassed.stderr
    (line,) = run(path, "reconcile", "--cloudtrail", str(trail), "--json").stdout.splitlines()
    assert json.loads(line)["finding"] == "no_record"
