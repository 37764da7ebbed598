"""What every sink has to do, on a file system, CloudWatch Logs and S3 that are really there."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from botocore.exceptions import ClientError

from lambda_warden.aws.sink_client import sink_client
from lambda_warden.errors import SettingsError, SinkError
from lambda_warden.model.sink_entry import SinkEntry
from lambda_warden.sinks.file import FileSink
from lambda_warden.sinks.opening import open_sink
from lambda_warden.sinks.sink import Sink, event_entry
from lambda_warden.store.hash_chain import AuditEvent
from sinks.conftest import BUCKET, GROUP
from support.raw_server import answer, answering, raw_server

NOW = datetime.now(UTC)


def entry(writer: str, seq: int, at: datetime = NOW, *, is_checkpoint: bool = False) -> SinkEntry:
    made = event_entry(AuditEvent(seq, writer, seq, at.isoformat(timespec="milliseconds"), "denial", "id", "{}", "h"))
    if not is_checkpoint:
        return made
    return SinkEntry(writer, seq, made.at, made.line.replace('"record"', '"checkpoint"'), is_checkpoint=True)


@pytest.fixture(params=["file", "cloudwatch", "s3"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Sink]:
    """Opens the same empty place each time."""
    name = uuid.uuid4().hex
    if request.param == "file":
        return lambda: open_sink(f"file://{tmp_path}/{name}.jsonl").sink
    cloud = request.getfixturevalue("cloud")
    place = {"cloudwatch": f"cloudwatch://{GROUP}/{name}?{cloud}", "s3": f"s3://{BUCKET}/{name}?{cloud}"}
    return lambda: open_sink(place[request.param]).sink


def test_what_is_written_is_there_and_how_far_each_writer_is(opened: Callable[[], Sink]) -> None:
    first, second = uuid.uuid4().hex, uuid.uuid4().hex
    sink = opened()
    assert (sink.last_seq(first), list(sink.lines())) == (0, [])
    batches = (
        [entry(first, 1), entry(first, 2)],
        [entry(second, 1)],
        [entry(first, 3)],
        [entry(first, 9, is_checkpoint=True)],
    )
    for batch in batches:
        sink.write(batch)
    sink.close()
    again = opened()
    assert [again.last_seq(writer) for writer in (first, second, uuid.uuid4().hex)] == [3, 1, 0]
    lines = sorted((each["writer"], each["seq"], each["type"]) for each in map(json.loads, again.lines()))
    expected = [
        (one.writer, one.seq, "checkpoint" if one.is_checkpoint else "record") for each in batches for one in each
    ]
    assert lines == sorted(expected)
    again.close()


def test_a_file_is_followed_when_it_is_rotated_and_a_torn_line_harms_no_other(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    sink = FileSink(path)
    sink.write([entry("a", 1)])
    assert path.stat().st_mode & 0o777 == 0o600
    path.rename(tmp_path / "records.jsonl.1")
    sink.write([entry("a", 2)])
    with path.open("a") as file:
        file.write('{"type":"rec')
    sink.write([entry("a", 3)])
    path.unlink()
    sink.write([entry("a", 4)])
    sink.close()
    assert sink.last_seq("a") == 4
    assert (tmp_path / "records.jsonl.1").read_text() == entry("a", 1).line + "\n"


def test_objects_are_kept_from_being_changed(cloud: str) -> None:
    prefix, writer = uuid.uuid4().hex, uuid.uuid4().hex
    sink = open_sink(f"s3://{BUCKET}/{prefix}?retain_days=30&{cloud}").sink
    sink.write([entry(writer, 1), entry(writer, 2)])
    client = sink_client("s3", "us-east-1", None, parse_qs(cloud)["endpoint_url"][0])
    place = {"Bucket": BUCKET, "Key": f"{prefix}/{writer}/000000000001-000000000002.jsonl"}
    kept = client.get_object_retention(**place)["Retention"]
    assert kept["Mode"] == "COMPLIANCE"
    assert kept["RetainUntilDate"] - NOW > timedelta(days=29)
    (version,) = client.list_object_versions(Bucket=BUCKET, Prefix=prefix)["Versions"]
    with pytest.raises(ClientError, match="lock"):
        client.delete_object(**place, VersionId=version["VersionId"])
    client.put_object(**place, Body=b"forged")
    client.delete_object(**place)
    assert {entry(writer, 1).line, entry(writer, 2).line} <= set(sink.lines())


def test_records_of_any_age_go_to_cloudwatch_in_one_batch(cloud: str) -> None:
    sink, writer = open_sink(f"cloudwatch://{GROUP}/{uuid.uuid4().hex}?{cloud}").sink, uuid.uuid4().hex
    ages = (60, 30, 31, 1, 0)
    sink.write([entry(writer, number, NOW - timedelta(days=age)) for number, age in enumerate(ages, 1)])
    assert [json.loads(line)["seq"] for line in sink.lines()] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "reply",
    [
        answer(200, b'{"rejectedLogEventsInfo": {"tooOldLogEventEndIndex": 1}}'),
        answer(400, b'{"__type": "AccessDeniedException", "message": "no"}'),
        answer(500, b"{}"),
    ],
)
def test_what_cloudwatch_does_not_take_is_an_error(reply: bytes) -> None:
    with raw_server(answering(reply)) as server:
        sink = open_sink(f"cloudwatch://group/stream?region=us-east-1&endpoint_url={server.url}").sink
        with pytest.raises(SinkError):
            sink.write([entry("a", 1)])


@pytest.mark.parametrize("reply", [answer(200), answer(403, b"<Error><Code>AccessDenied</Code></Error>"), answer(503)])
def test_what_s3_does_not_take_is_an_error(reply: bytes) -> None:
    with raw_server(answering(reply)) as server:
        sink = open_sink(f"s3://bucket/prefix?region=us-east-1&endpoint_url={server.url}").sink
        with pytest.raises(SinkError):
            sink.write([entry("a", 1)])


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("syslog://host", "is no sink"),
        ("records.jsonl", "is no sink"),
        ("file://records.jsonl", "three slashes"),
        ("file:///records.jsonl?region=us-east-1", "has no option region"),
        ("cloudwatch://group", "cloudwatch://GROUP/STREAM"),
        ("s3://bucket/prefix?retain_days=x&region=us-east-1", "can't be used"),
        ("s3://bucket/prefix?required=yes", "required is true or false"),
        ("s3://bucket?profile=nobody", "nobody"),
        ("file:///records#.jsonl?required=true", "has a #"),
        ("file:///records.jsonl?required=true&required=false", "an option twice"),
    ],
)
def test_a_url_that_names_no_sink_is_refused(url: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        open_sink(url)
