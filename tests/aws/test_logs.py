"""CloudWatch Logs, read with boto3 over HTTP: pages, limits, throttling, and answers that are none."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambda_warden import __version__
from lambda_warden.aws import logs as aws_logs
from lambda_warden.aws.clients import Clients
from lambda_warden.aws.logs import Events, find_failures, find_request, read_stream
from lambda_warden.model.log_event import LogEvent, Span
from lambda_warden.model.outcome import Refused
from lambda_warden.model.target import Target
from lambda_warden.settings import Settings
from support.builders import ACCOUNT, REGION, ref
from support.logs_endpoint import Logged, LogsEndpoint

GROUP, STREAM = "/aws/lambda/orders-refund", "2026/11/25/[7]0123"
ID = str(uuid.uuid4())
ALWAYS = Span(0, None)


def made(**keys: Any) -> Clients:
    return Clients(
        Settings(records=Path("unused"), sign_requests=False), [Target(account=ACCOUNT, regions=[REGION], **keys)]
    )


@pytest.fixture
def clients(logs: LogsEndpoint) -> Clients:
    return made(logs_endpoint_url=logs.url)


def find(clients: Clients, span: Span = ALWAYS, seconds: float = 60) -> Events | Refused:
    return find_request(clients, ref(), GROUP, ID, span, time.monotonic() + seconds)


def read(clients: Clients, span: Span = ALWAYS, seconds: float = 60) -> Events | Refused:
    return read_stream(clients, ref(), GROUP, STREAM, span, time.monotonic() + seconds)


def failures(clients: Clients, span: Span = ALWAYS, seconds: float = 60) -> Events | Refused:
    return find_failures(clients, ref(), GROUP, span, time.monotonic() + seconds)


Reading = Callable[[Clients, Span, float], Events | Refused]
BOTH = pytest.mark.parametrize("reading", [find, read])


def times(found: Events | Refused) -> list[int]:
    assert isinstance(found, Events), found
    return [event.timestamp for event in found.events]


@BOTH
@pytest.mark.parametrize("empty_pages", [False, True])
@pytest.mark.parametrize("page_size", [1, 3, 100])
def test_all_pages_are_read_also_behind_empty_ones(
    reading: Reading, empty_pages: bool, page_size: int, clients: Clients, logs: LogsEndpoint
) -> None:
    logs.page_size, logs.empty_pages = page_size, empty_pages
    logs.groups[GROUP] = [Logged(STREAM, number, f"{number} {ID}") for number in range(10)]
    found = reading(clients, ALWAYS, 60)
    assert isinstance(found, Events)
    assert found == Events(tuple(LogEvent(STREAM, number, f"{number} {ID}") for number in range(10)))


@BOTH
def test_both_ends_of_a_span_are_included(reading: Reading, clients: Clients, logs: LogsEndpoint) -> None:
    logs.groups[GROUP] = [Logged(STREAM, number, ID) for number in range(10)]
    assert times(reading(clients, Span(3, 6), 60)) == [3, 4, 5, 6]


def test_only_events_with_the_request_id_are_searched_for_and_all_of_a_stream_are_read(
    clients: Clients, logs: LogsEndpoint
) -> None:
    logs.groups[GROUP] = [
        Logged(STREAM, 1, ID),
        Logged(STREAM, 2, "x"),
        Logged("other", 3, ID),
        Logged("other", 4, "x"),
    ]
    found, whole = find(clients), read(clients)
    assert isinstance(found, Events)
    assert [(event.stream, event.timestamp) for event in found.events] == [(STREAM, 1), ("other", 3)]
    assert times(whole) == [1, 2]
    assert logs.received[0].body["filterPattern"] == f'"{ID}"'


@BOTH
def test_reading_ends_with_the_pages_that_it_may_have(reading: Reading, clients: Clients, logs: LogsEndpoint) -> None:
    logs.page_size = 1
    logs.groups[GROUP] = [Logged(STREAM, number, ID) for number in range(100)]
    found = reading(clients, ALWAYS, 60)
    assert times(found) == list(range(len(logs.received)))
    assert isinstance(found, Events)
    assert found.cut
    assert len(logs.received) < 100


@BOTH
def test_reading_ends_with_its_deadline(reading: Reading, clients: Clients, logs: LogsEndpoint) -> None:
    logs.page_size = 1
    logs.groups[GROUP] = [Logged(STREAM, number, ID) for number in range(5)]
    found = reading(clients, ALWAYS, -1)
    assert times(found) == [0]
    assert isinstance(found, Events)
    assert found.cut


@BOTH
def test_events_are_taken_whole_or_not_at_all(
    reading: Reading, clients: Clients, logs: LogsEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_logs, "BYTES_LIMIT", 3 * len(ID) + 20)
    logs.groups[GROUP] = [Logged(STREAM, number, ID + "x" * (number % 2)) for number in range(10)]
    found = reading(clients, ALWAYS, 60)
    assert times(found) == [0, 1, 2]
    assert isinstance(found, Events)
    assert found.cut
    assert found.events[1].message == ID + "x"


@BOTH
def test_what_aws_throttles_is_asked_for_again(reading: Reading, clients: Clients, logs: LogsEndpoint) -> None:
    logs.groups[GROUP], logs.throttled = [Logged(STREAM, 1, ID)], 1
    assert times(reading(clients, ALWAYS, 60)) == [1]
    assert logs.received[0].body == logs.received[1].body


@BOTH
def test_a_refusal_is_given_as_it_is(reading: Reading, clients: Clients, logs: LogsEndpoint) -> None:
    assert reading(clients, ALWAYS, 60) == Refused(
        "ResourceNotFoundException",
        "The specified log group does not exist.",
        400,
        "4f2c1d7e-0000-4000-8000-00000000000f",
    )
    logs.refusal = "AccessDeniedException"
    found = reading(clients, ALWAYS, 60)
    assert isinstance(found, Refused)
    assert found.code == "AccessDeniedException"


@BOTH
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b'{"events": [{}], "nextForwardToken": "f"}',
        b'{"events": 1}',
        b'{"events":[null]}',
    ],
)
def test_an_answer_that_is_none_is_a_refusal(
    reading: Reading, body: bytes, clients: Clients, logs: LogsEndpoint
) -> None:
    logs.body = body
    assert isinstance(reading(clients, ALWAYS, 60), Refused)


@BOTH
def test_an_endpoint_that_is_not_there_is_a_refusal(reading: Reading) -> None:
    found = reading(made(endpoint_url="http://127.0.0.1:9"), ALWAYS, 60)
    assert isinstance(found, Refused)
    assert found.code == "EndpointConnectionError"


def test_nothing_but_a_request_id_is_put_into_a_pattern(clients: Clients, logs: LogsEndpoint) -> None:
    for text in ("", "x", '" ?x', ID.upper(), ID + "\n", f'{ID}" ?"x'):
        with pytest.raises(ValueError, match="UUID"):
            find_request(clients, ref(), GROUP, text, ALWAYS, time.monotonic() + 60)
    assert logs.received == []


def test_text_that_cannot_be_encoded_is_made_so_that_it_can(clients: Clients, logs: LogsEndpoint) -> None:
    logs.body = b'{"events": [{"timestamp": 1, "logStreamName": "s", "message": "a\\ud800b"}]}'
    found = find(clients)
    assert isinstance(found, Events)
    assert found.events[0].message == "a?b"


def test_the_client_is_that_of_the_target_and_its_endpoint_of_logs_goes_first() -> None:
    client = made(endpoint_url="http://127.0.0.1:1", logs_endpoint_url="http://127.0.0.1:2").logs(ACCOUNT, REGION)
    assert client.meta.endpoint_url == "http://127.0.0.1:2"
    assert made(endpoint_url="http://127.0.0.1:1").logs(ACCOUNT, REGION).meta.endpoint_url == "http://127.0.0.1:1"
    own = made()
    assert own.logs(ACCOUNT, REGION).meta.endpoint_url == f"https://logs.{REGION}.amazonaws.com"
    assert own.logs(ACCOUNT, REGION) is own.logs(ACCOUNT, REGION)
    invoking: Any = own.for_invoking(ACCOUNT, REGION).meta.config
    reading: Any = own.logs(ACCOUNT, REGION).meta.config
    assert (invoking.retries["total_max_attempts"], reading.retries["total_max_attempts"]) == (1, 3)
    assert f"lambda-warden/{__version__}" in str(reading.user_agent)
    with pytest.raises(KeyError):
        own.logs(ACCOUNT, "eu-west-1")


def test_failures_are_searched_for_the_newest_first(clients: Clients, logs: LogsEndpoint) -> None:
    logs.page_size = 2
    logs.groups[GROUP] = [Logged(STREAM, number, "Traceback" if number % 2 else "fine") for number in range(12)]
    assert times(failures(clients)) == [11, 9, 7, 5, 3, 1]
    assert times(failures(clients, Span(3, 9))) == [9, 7, 5, 3]
    assert all(asked.body["startFromHead"] is False for asked in logs.received)
    ended = failures(clients, ALWAYS, -1)
    assert times(ended) == [11, 9]
    assert isinstance(ended, Events)
    assert ended.cut


def test_a_search_for_failures_ends_with_enough_of_them(
    clients: Clients, logs: LogsEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_logs, "_FAILURE_EVENTS", 4)
    logs.page_size = 2
    logs.groups[GROUP] = [Logged(STREAM, number, "ERROR") for number in range(12)]
    found = failures(clients)
    assert times(found) == [11, 10, 9, 8]
    assert isinstance(found, Events)
    assert found.cut


def test_a_refused_search_for_failures_is_given_as_it_is(clients: Clients, logs: LogsEndpoint) -> None:
    logs.refusal = "AccessDeniedException"
    refused = failures(clients)
    assert isinstance(refused, Refused)
    assert refused.code == "AccessDeniedException"
