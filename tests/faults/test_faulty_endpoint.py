"""The endpoint for fault tests, seen by raw sockets and by boto3: each fault as it is meant, and the ledger's truth."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.eventstream import ChecksumMismatch, EventStreamBuffer
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EventStreamError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
)
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import ProtocolError
from urllib3.exceptions import ReadTimeoutError as UrllibReadTimeoutError

from support.event_stream import message
from support.faulty.plan import (
    BEFORE_BODY,
    FAULTS,
    OF_CONNECTIONS,
    STREAM_WEIGHTS,
    WEIGHTS,
    Plan,
    PlanError,
    change,
    checked_weights,
    draw,
    draw_version,
    parse_name,
)
from support.faulty_endpoint import FaultyEndpoint, faulty_endpoint

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

SEED = 7
PATIENCE = 20.0
"""Seconds for what has to come."""
SILENCE = 0.15
"""Seconds after which what is not to come counts as not coming."""
LONG_SILENCE = 1.0
"""As above, for a client that is to read something before."""

FOR_INVOKE = [name for name, fault in FAULTS.items() if not fault.of_streams]
SILENT = {"hang", "hold", "headers_hang"}


@pytest.fixture(scope="module")
def _running() -> Iterator[FaultyEndpoint]:
    with faulty_endpoint(seed=SEED) as running:
        yield running


@pytest.fixture
def faulty(_running: FaultyEndpoint) -> FaultyEndpoint:
    _running.reset()
    return _running


@pytest.fixture(scope="module")
def _secured() -> Iterator[FaultyEndpoint]:
    with faulty_endpoint(seed=SEED, tls=True) as running:
        yield running


@pytest.fixture
def secured(_secured: FaultyEndpoint) -> FaultyEndpoint:
    _secured.reset()
    return _secured


@lru_cache
def session() -> boto3.Session:
    return boto3.Session()


def client(url: str, read_timeout: float = PATIENCE, **options: Any) -> LambdaClient:
    config = Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout, connect_timeout=read_timeout)
    return session().client("lambda", region_name="us-east-1", endpoint_url=url, config=config, **options)


def invoke(lambda_client: LambdaClient, function: str, **parameters: Any) -> tuple[dict[str, Any], bytes]:
    parameters.setdefault("Payload", b'{"call": "c"}')
    response: Any = lambda_client.invoke(FunctionName=function, **parameters)
    return response, response["Payload"].read()


def code_of(action: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        action()
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


class Raw:
    """A socket, and all that there is to see of a connection."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self.socket = socket.create_connection((address.hostname or "", address.port or 0))

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def send(self, function: str, body: bytes = b'{"call": "c"}', *, withheld: int = 0, extra: str = "") -> None:
        """An Invoke request, without the last bytes of its body."""
        head = (
            f"POST /2015-03-31/functions/{function}/invocations HTTP/1.1\r\nHost: f\r\n{extra}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + body[: len(body) - withheld])

    def read(self, size: int) -> bytes:
        self.socket.settimeout(PATIENCE)
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            assert more, f"ended after {data!r}"
            data += more
        return data

    def until(self, end: bytes) -> bytes:
        data = b""
        while not data.endswith(end):
            data += self.read(1)
        return data

    def answer(self) -> bytes:
        """One answer, as long as its headers say."""
        head = self.until(b"\r\n\r\n")
        return head + self.read(int(parsed(head)[1]["content-length"]))

    def reset(self) -> None:
        """Let the socket end with RST when it is closed."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def ending(self, patience: float = PATIENCE) -> tuple[bytes, str]:
        """All bytes until nothing more comes, and how that was: FIN, RST, or open still."""
        data = b""
        self.socket.settimeout(patience)
        try:
            while more := self.socket.recv(65_536):
                data += more
        except TimeoutError:
            return data, "open"
        except ConnectionResetError:
            return data, "RST"
        return data, "FIN"


def parsed(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    return int(line.split()[1]), {k.lower(): v for k, v in (field.split(": ", 1) for field in fields)}, body


# What a raw socket sees of each fault: the connection's ending, the status (None: no HTTP at all) and the body.
WHOLE = b'{"call": "c"}'
HALF = WHOLE[: len(WHOLE) // 2]
ERROR: Any = object()  # a body that the status goes with
SEEN: dict[str, tuple[str, int | None, Any]] = {
    "ok": ("open", 200, WHOLE),
    "slow": ("open", 200, WHOLE),
    "answer_late": ("open", 200, WHOLE),
    "drip": ("open", 200, WHOLE),
    "hang": ("open", None, b""),
    "hold": ("open", None, b""),
    "function_error": ("open", 200, ERROR),
    "stale": ("FIN", 200, WHOLE),
    "stale_race": ("open", 200, WHOLE),
    "reset_before_reading": ("RST", None, b""),
    "close_before_reading": ("FIN", None, b""),
    "reset_after_headers": ("RST", None, b""),
    "reset_after_body": ("RST", None, b""),
    "close_after_body": ("FIN", None, b""),
    "reset_mid_answer": ("RST", 200, HALF),
    "truncated_body": ("FIN", 200, HALF),
    "wrong_length": (
        "open",
        200,
        WHOLE + b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"forged":true}',
    ),
    "short_length": ("open", 200, WHOLE),
    "malformed_error": ("open", 500, b'{"Type": "Service", "mess'),
    "garbage": ("FIN", None, b"\x00\x01\xfe\xffno HTTP at all\r\n\r\n\x00"),
    "headers_only": ("FIN", 200, b""),
    "headers_hang": ("open", 200, b""),
    "400": ("open", 400, ERROR),
    "403": ("open", 403, ERROR),
    "404": ("open", 404, ERROR),
    "409": ("open", 409, ERROR),
    "413": ("open", 413, ERROR),
    "429": ("open", 429, ERROR),
    "429_retry_after": ("open", 429, ERROR),
    "500_started": ("open", 500, ERROR),
    "500_not_started": ("open", 500, ERROR),
    "502": ("open", 502, ERROR),
    "503": ("open", 503, ERROR),
    "504": ("open", 504, ERROR),
}
NOT_STARTED = {
    *("reset_before_reading", "close_before_reading", "reset_after_headers"),
    *("400", "403", "404", "409", "413", "429", "429_retry_after", "500_not_started", "503"),
}
NUMBERS = {"slow": "-20", "answer_late": "-20", "drip": "-1"}
LENGTHS = {"wrong_length": len(WHOLE), "short_length": len(HALF)}
EXTRA = {fault: len(SEEN[fault][2]) - length for fault, length in LENGTHS.items()}
CUT = {"reset_mid_answer", "truncated_body", "headers_only", "headers_hang"}


@pytest.mark.parametrize("fault", FOR_INVOKE)
def test_a_raw_socket_sees_the_fault_and_the_ledger_knows_whether_it_ran(fault: str, faulty: FaultyEndpoint) -> None:
    ending, status, body = SEEN[fault]
    with Raw(faulty.url) as raw:
        raw.send(f"fault-{fault}{NUMBERS.get(fault, '')}")
        data = b""
        if ending == "open" and status is not None and fault != "headers_hang":
            data = raw.answer() + raw.read(EXTRA.get(fault, 0))
        rest, seen = raw.ending(SILENCE if ending == "open" else PATIENCE)
        data += rest
        entry = faulty.ledger()[f"fault-{fault}" if fault in BEFORE_BODY else "c"]
    assert seen == ending
    if status is None:
        assert data == body
    else:
        got, headers, content = parsed(data)
        assert (got, content) == (status, content if body is ERROR else body)
        length = LENGTHS.get(fault, len(WHOLE) if fault in CUT else len(content))
        assert headers["content-length"] == str(length)
        assert ("retry-after" in headers) == (fault == "429_retry_after")
        assert ("x-amz-function-error" in headers) == (fault == "function_error")
    assert (entry["fault"], entry["attempts"]) == (fault, 1)
    assert entry["received"] == (0 if fault in BEFORE_BODY else 1)
    assert entry["started"] == FAULTS[fault].starts == (fault not in NOT_STARTED)
    part = fault in CUT or fault == "short_length"
    expected = "nothing" if status is None else f"part of {status}" if part else str(status)
    assert entry["answered"] == ("pending" if fault in SILENT and not part else expected)


def test_connections_stay_usable_exactly_after_whole_answers(faulty: FaultyEndpoint) -> None:
    with Raw(faulty.url) as raw:
        for fault in ("ok", "drip-1", "slow-1", "function_error", "429", "500_started", "502", "malformed_error"):
            raw.send(f"fault-{fault}")
            raw.answer()
        raw.send("orders")
        assert raw.read(12) == b"HTTP/1.1 200"
    assert faulty.counts()["connections"] == 1


def test_requests_that_follow_one_another_at_once_are_answered_in_turn(faulty: FaultyEndpoint) -> None:
    with Raw(faulty.url) as raw:
        raw.send("sleep-50", b'{"call": "first"}')
        raw.send("orders", b'{"call": "second"}')
        assert [parsed(raw.answer())[2] for _ in range(2)] == [b'{"call": "first"}', b'{"call": "second"}']


def test_a_request_that_never_arrives_whole_is_not_received(faulty: FaultyEndpoint) -> None:
    with Raw(faulty.url) as raw:
        raw.send("orders", withheld=1)
        assert raw.ending(SILENCE) == (b"", "open")
    assert faulty.ledger() == {}


def test_a_body_in_many_pieces_arrives_whole(faulty: FaultyEndpoint) -> None:
    body = json.dumps({"call": "c", "data": "x" * 50}).encode()
    with Raw(faulty.url) as raw:
        raw.send("orders", body, withheld=len(body))
        for byte in body:
            raw.socket.sendall(bytes([byte]))
        raw.until(body)
    assert faulty.ledger()["c"]["received"] == 1


@pytest.mark.parametrize("data", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"x" * 70_000])
def test_what_is_no_request_is_refused(data: bytes, faulty: FaultyEndpoint) -> None:
    with Raw(faulty.url) as raw:
        raw.socket.sendall(data)
        answer, ending = raw.ending()
    assert (parsed(answer)[0], ending) == (400, "FIN")


def test_reset_after_headers_does_not_wait_for_the_body(faulty: FaultyEndpoint) -> None:
    with Raw(faulty.url) as raw:
        raw.send("fault-reset_after_headers", b"x" * 1000, withheld=900)
        assert raw.ending() == (b"", "RST")


def test_a_stale_connection_is_noticed_and_the_race_is_not(faulty: FaultyEndpoint) -> None:
    pooled = client(faulty.url)
    assert invoke(pooled, "fault-stale_race")[1] == WHOLE
    with pytest.raises(ConnectionClosedError):
        invoke(pooled, "orders", Payload=b'{"call": "raced"}')
    assert "raced" not in faulty.ledger()
    assert invoke(pooled, "orders")[1] == WHOLE
    with Raw(faulty.url) as raw:
        raw.send("fault-stale-1")
        assert raw.ending()[1] == "FIN"


def test_an_answer_too_long_does_not_pass_for_the_next(faulty: FaultyEndpoint) -> None:
    pooled = client(faulty.url)
    for call in ("1", "2", "3"):
        payload = json.dumps({"call": call}).encode()
        assert invoke(pooled, "fault-wrong_length", Payload=payload)[1] == payload


def test_drips_come_in_pieces_of_the_size_told(faulty: FaultyEndpoint) -> None:
    with Raw(faulty.url) as raw:
        raw.send("fault-drip-20--chunk-100--bytes-1000")
        raw.socket.settimeout(PATIENCE)
        pieces = [raw.socket.recv(65_536)]
        while not pieces[-1].endswith(b'x"'):
            pieces.append(raw.socket.recv(65_536))
    assert len(pieces) > 3
    assert len(parsed(b"".join(pieces))[2]) == 1000


def test_held_calls_are_answered_when_released(faulty: FaultyEndpoint) -> None:
    def call(number: int) -> bytes:
        return invoke(held, "hold", Payload=json.dumps({"call": str(number)}).encode())[1]

    faulty.behave("hold", fault="hold")
    held = client(faulty.url)
    with ThreadPoolExecutor(5) as pool:
        answers = pool.map(call, range(5))
        ledger = faulty.until(lambda ledger: len(ledger) == 5)
        assert {entry["answered"] for entry in ledger.values()} == {"pending"}
        faulty.release()
        assert [json.loads(answer)["call"] for answer in answers] == ["0", "1", "2", "3", "4"]
    assert faulty.counts()["most_open"] == 5
    assert {entry["answered"] for entry in faulty.ledger().values()} == {"200"}


def test_a_thousand_connections_are_held_at_once(faulty: FaultyEndpoint) -> None:
    raws = [Raw(faulty.url) for _ in range(1000)]
    try:
        for number, raw in enumerate(raws):
            raw.send("fault-hold", json.dumps({"call": str(number)}).encode())
        ledger = faulty.until(lambda ledger: len(ledger) == 1000)
        assert {entry["started"] for entry in ledger.values()} == {1}
        assert faulty.counts()["open"] == 1000
        faulty.release()
        assert {raw.read(12) for raw in raws} == {b"HTTP/1.1 200"}
    finally:
        for raw in raws:
            raw.socket.close()


@pytest.mark.parametrize("fault", ["hang", "slow-60000", "hold", "stream_hang"])
def test_a_client_that_leaves_is_noticed(fault: str, faulty: FaultyEndpoint) -> None:
    lambda_client = client(faulty.url, LONG_SILENCE if fault == "stream_hang" else SILENCE)
    if fault == "stream_hang":
        with pytest.raises(UrllibReadTimeoutError):
            streamed(lambda_client, "fault-stream_hang")
    else:
        with pytest.raises(ReadTimeoutError):
            invoke(lambda_client, f"fault-{fault}")
    expected = "part of 200" if fault == "stream_hang" else "client left"
    faulty.until(lambda ledger: ledger["c"]["answered"] == expected and faulty.counts()["open"] == 0)


@pytest.mark.parametrize("function", ["fault-answer_late-500", "fault-answer_late-500--bytes-6000000"])
@pytest.mark.parametrize("leaves_by", ["FIN", "RST"])
def test_an_answer_after_the_client_left_is_written_all_the_same(
    function: str, leaves_by: str, faulty: FaultyEndpoint
) -> None:
    with Raw(faulty.url) as raw:
        raw.send(function)
        faulty.until(lambda ledger: "c" in ledger)
        if leaves_by == "RST":
            raw.reset()
    assert faulty.ledger()["c"]["answered"] == "pending"
    faulty.until(lambda ledger: ledger["c"]["answered"] == "200 after the client left")
    faulty.until(lambda _: faulty.counts()["open"] == 0)
    assert invoke(client(faulty.url), "orders")[1] == WHOLE


# What boto3 makes of the faults.
RAISED: dict[str, type[Exception]] = {
    "hang": ReadTimeoutError,
    "reset_before_reading": ConnectionClosedError,
    "close_before_reading": ConnectionClosedError,
    "reset_after_headers": ConnectionClosedError,
    "reset_after_body": ConnectionClosedError,
    "close_after_body": ConnectionClosedError,
    "garbage": ConnectionClosedError,
    "reset_mid_answer": ResponseStreamingError,
    "truncated_body": ResponseStreamingError,
    "headers_only": ResponseStreamingError,
    "headers_hang": ReadTimeoutError,
}
CODES = {
    "400": (400, "InvalidParameterValueException"),
    "403": (403, "AccessDeniedException"),
    "404": (404, "ResourceNotFoundException"),
    "409": (409, "ResourceConflictException"),
    "413": (413, "RequestTooLargeException"),
    "429": (429, "TooManyRequestsException"),
    "429_retry_after": (429, "TooManyRequestsException"),
    "500_started": (500, "ServiceException"),
    "500_not_started": (500, "ServiceException"),
    "502": (502, "502"),
    "503": (503, "ServiceUnavailableException"),
    "504": (504, "504"),
    "malformed_error": (500, "500"),
}


@pytest.mark.parametrize("fault", RAISED)
def test_boto3_meets_the_connections_fault(fault: str, faulty: FaultyEndpoint) -> None:
    lambda_client = client(faulty.url, SILENCE if fault in SILENT else PATIENCE)
    with pytest.raises(RAISED[fault]):
        invoke(lambda_client, f"fault-{fault}")


@pytest.mark.parametrize("fault", CODES)
def test_boto3_reads_the_error(fault: str, faulty: FaultyEndpoint) -> None:
    assert code_of(lambda: invoke(client(faulty.url), f"fault-{fault}")) == CODES[fault]


def test_a_function_error_is_an_answer(faulty: FaultyEndpoint) -> None:
    response, payload = invoke(client(faulty.url), "fault-function_error")
    assert (response["StatusCode"], response["FunctionError"]) == (200, "Unhandled")
    assert json.loads(payload)["errorType"] == "ToldToFailError"


# The draw.


@given(
    st.integers(), st.text(), st.integers(1), st.dictionaries(st.sampled_from(sorted(FAULTS)), st.just(1.0), min_size=1)
)
def test_the_draw_depends_on_its_arguments_alone(seed: int, call: str, attempt: int, weights: dict[str, float]) -> None:
    drawn = draw(seed, call, attempt, weights)
    assert drawn in weights
    assert draw(seed, call, attempt, dict(reversed(weights.items()))) == drawn


def test_the_draw_follows_the_weights_and_tells_attempts_calls_and_seeds_apart() -> None:
    weights = {"ok": 3.0, "429": 1.0, "hang": 0.0}
    drawn = Counter(draw(1, str(call), 1, weights) for call in range(2000))
    assert drawn["hang"] == 0
    assert 1400 < drawn["ok"] < 1600
    sequences = {
        tuple(draw(seed, str(call), attempt, weights) for call in range(0 + offset, 50 + offset))
        for seed, attempt, offset in ((1, 1, 0), (2, 1, 0), (1, 2, 0), (1, 1, 50))
    }
    assert len(sequences) == 4


def test_what_is_drawn_by_itself_ends_by_itself() -> None:
    assert WEIGHTS.keys() == FAULTS.keys() - SILENT - {name for name in FAULTS if FAULTS[name].of_streams}
    assert STREAM_WEIGHTS.keys() == FAULTS.keys() - SILENT - {"stream_hang"}


def test_parallel_calls_get_what_the_draw_says_in_whatever_order(faulty: FaultyEndpoint) -> None:
    weights = {"ok": 2.0, "429": 1.0, "500_started": 1.0, "reset_after_body": 1.0, "reset_before_reading": 1.0}
    lambda_client = client(faulty.url)

    def call(number: int) -> None:
        for _ in range(2):
            try:
                invoke(lambda_client, "draw--orders", Payload=json.dumps({"call": f"c{number}"}).encode())
            except (ClientError, ConnectionClosedError):
                continue

    faulty.draw_from(weights)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(60)))
    ledger = faulty.ledger()
    assert len(ledger) == 60
    for name, entry in ledger.items():
        drawn = [draw(SEED, name, attempt, weights) for attempt in (1, 2)]
        assert (entry["attempts"], entry["fault"]) == (2, drawn[-1])
        assert entry["started"] == sum(FAULTS[fault].starts for fault in drawn)
        assert entry["received"] == sum(fault not in BEFORE_BODY for fault in drawn)


def test_the_default_weights_are_drawn_from_by_both_operations(faulty: FaultyEndpoint) -> None:
    call = next(str(n) for n in range(1000) if draw(SEED, str(n), 1, STREAM_WEIGHTS) == "stream_error")
    end = streamed(client(faulty.url), "draw", Payload=json.dumps({"call": call}).encode())[1]
    assert end["ErrorCode"] == "Unhandled"
    call = next(str(n) for n in range(1000) if draw(SEED, str(n), 1, WEIGHTS) == "409")
    payload = json.dumps({"call": call}).encode()
    assert code_of(lambda: invoke(client(faulty.url), "draw", Payload=payload))[0] == 409


def test_a_function_may_have_weights_of_its_own(faulty: FaultyEndpoint) -> None:
    faulty.behave("orders", weights={"404": 1})
    assert code_of(lambda: invoke(client(faulty.url), "orders"))[0] == 404


# The names.


@pytest.mark.parametrize(
    ("name", "plan"),
    [
        ("orders", Plan()),
        ("orders-by-day_2--eu", Plan()),
        ("sleep-1000", Plan(sleep_ms=1000)),
        ("fault-reset_after_body", Plan(fault="reset_after_body")),
        ("fault-slow-300--sleep-20--orders", Plan(fault="slow", argument=300, sleep_ms=20)),
        ("bytes-6000000", Plan(size=6_000_000)),
        ("stream-200mb--chunk-1kb", Plan(size=200 * 1024 * 1024, chunk=1024)),
        ("log-200--draw", Plan(log_lines=200, draws=True)),
        ("route-7_90-8_10", Plan(aliases={"*": {"7": 0.9, "8": 0.1}})),
        ("metadata-403", Plan(metadata="403")),
        ("timeout-900--orders", Plan(configuration={"Timeout": 900})),
    ],
)
def test_a_name_says_what_happens(name: str, plan: Plan) -> None:
    assert parse_name(name) == plan


@pytest.mark.parametrize(
    "name", ["fault-hng", "fault", "sleep", "sleep-x", "bytes-6gb", "draw-2", "a--fault-ok-", "route-7", "metadata-1"]
)
def test_a_mistyped_name_is_no_echo(name: str, faulty: FaultyEndpoint) -> None:
    with pytest.raises(PlanError):
        parse_name(name)
    assert code_of(lambda: invoke(client(faulty.url), name)) == (400, "InvalidParameterValueException")
    assert faulty.ledger()["c"]["started"] == 0


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
def test_every_name_is_a_plan_or_an_error_of_its_own(name: str) -> None:
    with suppress(PlanError):
        assert parse_name(name).fault in FAULTS


def test_behaviours_are_set_over_the_name_and_reset(faulty: FaultyEndpoint) -> None:
    faulty.behave("bytes-100", fault="409")
    assert code_of(lambda: invoke(client(faulty.url), "bytes-100"))[0] == 409
    faulty.behave("bytes-100", sleep_ms=1)
    assert len(invoke(client(faulty.url), "bytes-100")[1]) == 100
    faulty.behave("bytes-100", size=7)
    faulty.reset()
    assert faulty.ledger() == {}
    assert len(invoke(client(faulty.url), "bytes-100")[1]) == 100


@pytest.mark.parametrize(
    "changes",
    [
        {"fault": "hng"},
        {"flaut": "ok"},
        {"size": -1},
        {"chunk": 0},
        {"sleep_ms": "1"},
        {"weights": {}},
        {"weights": {"ok": 0}},
        {"weights": {"ok": -1}},
        {"weights": {"okay": 1}},
        {"metadata": "nothing"},
    ],
)
def test_a_behaviour_that_there_is_not_is_refused(changes: dict[str, Any], faulty: FaultyEndpoint) -> None:
    with pytest.raises(PlanError):
        change(Plan(), changes)
    with pytest.raises(ValueError, match=r"."):
        faulty.behave("orders", **changes)
    assert invoke(client(faulty.url), "orders")[1] == WHOLE


def test_other_requests_of_the_control_api_are_refused(faulty: FaultyEndpoint) -> None:
    with pytest.raises(PlanError):
        checked_weights({"no such": 1})
    with pytest.raises(ValueError, match="no such"):
        faulty.draw_from({"no such": 1})
    with pytest.raises(ValueError, match="hang"):
        faulty.next_connections("hang")
    for request, status in ((b"GET /_control/elsewhere", b"404"), (b"PUT /_control/connections", b"400")):
        with Raw(faulty.urls["control"]) as raw:
            raw.socket.sendall(request + b" HTTP/1.1\r\n\r\n")
            assert raw.read(12) == b"HTTP/1.1 " + status


# What AWS does and the embedded endpoint does not.


def test_the_log_has_aws_s_lines_and_its_last_4_kb(faulty: FaultyEndpoint) -> None:
    lambda_client = client(faulty.url)
    assert "LogResult" not in invoke(lambda_client, "orders")[0]
    response = invoke(lambda_client, "sleep-20", LogType="Tail", Qualifier="7")[0]
    request_id = response["ResponseMetadata"]["RequestId"]
    assert base64.b64decode(response["LogResult"]).decode() == (
        f"START RequestId: {request_id} Version: 7\nline 1 of the function\nEND RequestId: {request_id}\n"
        f"REPORT RequestId: {request_id}\tDuration: 21.25 ms\tBilled Duration: 22 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 64 MB\tInit Duration: 150.50 ms\t\n"
    )
    warm = invoke(lambda_client, "sleep-20", LogType="Tail", Qualifier="7")[0]
    assert b"Init" not in base64.b64decode(warm["LogResult"])
    long = base64.b64decode(invoke(lambda_client, "log-500", LogType="Tail")[0]["LogResult"])
    assert len(long) == 4096
    assert b"START" not in long
    assert b"\nline 500 of the function\nEND RequestId: " in long


def test_the_client_context_comes_back_decoded(faulty: FaultyEndpoint) -> None:
    context = {"custom": {"grund": "ünïcode"}}
    encoded = base64.b64encode(json.dumps(context).encode()).decode()
    payload = invoke(client(faulty.url), "orders", ClientContext=encoded)[1]
    assert json.loads(payload) == {"payload": {"call": "c"}, "client_context": context}


@pytest.mark.parametrize("context", ["!", base64.b64encode(b"[1]").decode(), base64.b64encode(b"x").decode()])
def test_a_client_context_of_another_shape_is_refused(context: str, faulty: FaultyEndpoint) -> None:
    with Raw(faulty.url) as raw:
        raw.send("orders", extra=f"X-Amz-Client-Context: {context}\r\n")
        assert raw.read(12) == b"HTTP/1.1 400"
    assert faulty.ledger()["c"]["started"] == 0


@pytest.mark.parametrize(
    ("kind", "size", "status"),
    [
        ("RequestResponse", 6_291_456, 200),
        ("RequestResponse", 6_291_457, 413),
        ("Event", 1_048_576, 202),
        ("Event", 1_048_577, 413),
    ],
)
def test_payloads_have_aws_s_limits(kind: Any, size: int, status: int, faulty: FaultyEndpoint) -> None:
    payload = b'{"call": "c", "data": "%b"}' % (b"x" * (size - 25))
    assert len(payload) == size
    lambda_client = client(faulty.url)
    if status == 413:
        refused = code_of(lambda: invoke(lambda_client, "orders", Payload=payload, InvocationType=kind))
        assert refused == (413, "RequestTooLargeException")
    else:
        assert invoke(lambda_client, "orders", Payload=payload, InvocationType=kind)[0]["StatusCode"] == status
    assert faulty.ledger()["c"]["started"] == (status != 413)


def test_a_payload_that_is_no_json_is_refused(faulty: FaultyEndpoint) -> None:
    refused = code_of(lambda: invoke(client(faulty.url), "orders", Payload=b"{"))
    assert refused == (400, "InvalidRequestContentException")
    assert faulty.ledger()["orders"]["started"] == 0


def test_answers_have_the_size_told_and_aws_s_limit(faulty: FaultyEndpoint) -> None:
    lambda_client = client(faulty.url)
    for size in (0, 1, 2, 3, 65_536, 65_537, 6_000_000, 6_291_556):
        payload = invoke(lambda_client, f"bytes-{size}")[1]
        assert len(payload) == size
        assert not size or len(str(json.loads(payload))) == max(size - 2, size == 1)
    response, payload = invoke(lambda_client, "bytes-6291557")
    assert response["FunctionError"] == "Unhandled"
    assert json.loads(payload)["errorType"] == "Function.ResponseSizeTooLarge"


def test_a_dry_run_starts_nothing_and_an_event_is_queued(faulty: FaultyEndpoint) -> None:
    lambda_client = client(faulty.url)
    for kind, status, started in (("DryRun", 204, 0), ("Event", 202, 1)):
        payload = json.dumps({"call": kind}).encode()
        response, answer = invoke(lambda_client, "sleep-60000", InvocationType=kind, Payload=payload)
        assert (response["StatusCode"], answer) == (status, b"")
        entry = faulty.ledger()[kind]
        assert (entry["started"], entry["received"], entry["invocation_type"]) == (started, 1, kind)


def test_calls_are_known_by_their_payload_or_else_by_the_function(faulty: FaultyEndpoint) -> None:
    lambda_client = client(faulty.url)
    for payload in (b'{"call": "a"}', b'{"call": 1}', b'["call"]', b"", b'{"x": {"call": "nested"}}'):
        invoke(lambda_client, "arn:aws:lambda:us-east-1:123456789012:function:orders:live", Payload=payload)
    ledger = faulty.ledger()
    assert {call: entry["received"] for call, entry in ledger.items()} == {"a": 1, "orders": 4}
    assert (ledger["a"]["function"], ledger["a"]["qualifier"], ledger["a"]["version"]) == ("orders", "live", "1")


def test_an_alias_leads_calls_to_versions_by_weight_and_call(faulty: FaultyEndpoint) -> None:
    lambda_client = client(faulty.url)
    weights = {"7": 0.5, "8": 0.5}
    for number in range(20):
        payload = json.dumps({"call": str(number)}).encode()
        response = invoke(lambda_client, "route-7_50-8_50", Qualifier="live", Payload=payload)[0]
        assert response["ExecutedVersion"] == draw_version(SEED, str(number), weights)
    assert {entry["version"] for entry in faulty.ledger().values()} == {"7", "8"}
    for qualifier, version in (("3", "3"), ("$LATEST", "$LATEST"), ("live", "1")):
        assert invoke(lambda_client, "orders", Qualifier=qualifier)[0]["ExecutedVersion"] == version
    faulty.behave("orders", aliases={"blue": {"4": 1}})
    assert invoke(lambda_client, "orders", Qualifier="blue")[0]["ExecutedVersion"] == "4"
    assert invoke(lambda_client, "orders", Qualifier="live")[0]["ExecutedVersion"] == "1"


def test_configuration_and_alias_are_told(faulty: FaultyEndpoint) -> None:
    lambda_client = client(faulty.url)
    plain = lambda_client.get_function_configuration(FunctionName="orders", Qualifier="live")
    assert (plain["Timeout"], plain["LoggingConfig"]["LogGroup"]) == (3, "/aws/lambda/orders")
    assert "DurableConfig" not in plain
    assert plain["FunctionArn"].endswith(":function:orders:live")
    told = lambda_client.get_function_configuration(FunctionName="timeout-900--durable")
    assert (told["Timeout"], told["DurableConfig"]["ExecutionTimeout"]) == (900, 3600)
    faulty.behave("orders", configuration={"LoggingConfig": {"LogGroup": "elsewhere"}})
    log_group = lambda_client.get_function_configuration(FunctionName="orders")["LoggingConfig"]["LogGroup"]
    assert log_group == "elsewhere"
    alias = lambda_client.get_alias(FunctionName="route-7_90-8_10", Name="live")
    assert (alias["Name"], alias["FunctionVersion"]) == ("live", "7")
    assert alias["RoutingConfig"]["AdditionalVersionWeights"] == {"8": 0.1}
    assert "RoutingConfig" not in lambda_client.get_alias(FunctionName="orders", Name="live")
    assert faulty.ledger() == {}


def test_configuration_and_alias_meet_faults_of_their_own(faulty: FaultyEndpoint) -> None:
    lambda_client = client(faulty.url)
    refused = code_of(lambda: lambda_client.get_alias(FunctionName="metadata-403", Name="live"))
    assert refused == (403, "AccessDeniedException")
    for fault in ("reset_before_reading", "reset_after_body"):
        with pytest.raises(ConnectionClosedError):
            lambda_client.get_function_configuration(FunctionName=f"metadata-{fault}")
    assert invoke(lambda_client, "metadata-403")[1] == WHOLE
    assert code_of(lambda_client.list_functions) == (403, "AccessDeniedException")


def test_a_durable_execution_starts_once_for_a_name(faulty: FaultyEndpoint) -> None:
    lambda_client = client(faulty.url)
    first, again = (invoke(lambda_client, "durable", DurableExecutionName="one")[0] for _ in range(2))
    assert first["DurableExecutionArn"] == again["DurableExecutionArn"]
    assert (faulty.ledger()["c"]["received"], faulty.ledger()["c"]["started"]) == (2, 1)
    other = code_of(lambda: invoke(lambda_client, "durable", DurableExecutionName="one", Payload=b'{"call": "d"}'))
    assert other == (409, "DurableExecutionAlreadyStartedException")
    assert faulty.ledger()["d"]["started"] == 0
    invoke(lambda_client, "durable", DurableExecutionName="two")
    assert "DurableExecutionArn" not in invoke(lambda_client, "orders", DurableExecutionName="one")[0]
    assert faulty.ledger()["c"]["started"] == 3


# Streams.


def streamed(lambda_client: LambdaClient, function: str, **parameters: Any) -> tuple[list[bytes], Any]:
    """The chunks and the InvokeComplete of a stream; the chunks that came are on what is raised."""
    parameters.setdefault("Payload", b'{"call": "c"}')
    response = lambda_client.invoke_with_response_stream(FunctionName=function, **parameters)
    chunks: list[bytes] = []
    end: Any = None
    try:
        for event in response["EventStream"]:
            if "PayloadChunk" in event:
                chunks.append(event["PayloadChunk"]["Payload"])
            else:
                end = event["InvokeComplete"]
    except Exception as error:
        error.add_note(str(len(chunks)))
        raise
    finally:
        response["EventStream"].close()
    return chunks, end


def test_a_stream_comes_in_chunks_and_ends_with_its_log(faulty: FaultyEndpoint) -> None:
    chunks, end = streamed(client(faulty.url), "orders", LogType="Tail", Qualifier="7")
    assert (len(chunks), b"".join(chunks)) == (4, WHOLE)
    assert b"REPORT RequestId" in base64.b64decode(end["LogResult"])
    assert "ErrorCode" not in end
    entry = faulty.ledger()["c"]
    assert (entry["invocation_type"], entry["started"], entry["answered"], entry["version"]) == (
        "ResponseStream",
        1,
        "200",
        "7",
    )


def test_a_stream_of_many_megabytes(faulty: FaultyEndpoint) -> None:
    chunks, end = streamed(client(faulty.url), "stream-20mb--chunk-100kb")
    assert {len(chunk) for chunk in chunks[:-1]} == {102_400}
    assert len(json.loads(b"".join(chunks))) == 20 * 1024 * 1024 - 2
    assert end == {}


STREAM_ENDINGS: dict[str, type[Exception]] = {
    "stream_exception": EventStreamError,
    "stream_unmodeled": EventStreamError,
    "stream_bad_crc": ChecksumMismatch,
    "stream_cut": ProtocolError,
    "stream_cut_frame": ProtocolError,
    "stream_hang": UrllibReadTimeoutError,
    "reset_mid_answer": ProtocolError,
    "truncated_body": ProtocolError,
}


@pytest.mark.parametrize("fault", STREAM_ENDINGS)
def test_boto3_meets_a_streams_fault_in_its_middle(fault: str, faulty: FaultyEndpoint) -> None:
    with pytest.raises(STREAM_ENDINGS[fault]) as caught:
        streamed(client(faulty.url, LONG_SILENCE if fault == "stream_hang" else PATIENCE), f"fault-{fault}")
    assert caught.value.__notes__ == ["2"]
    entry = faulty.ledger()["c"]
    assert (entry["started"], entry["answered"]) == (1, "part of 200")


@pytest.mark.parametrize("fault", ["stream_error", "stream_no_complete", "short_length"])
def test_a_stream_that_ends_early_without_an_exception(fault: str, faulty: FaultyEndpoint) -> None:
    chunks, end = streamed(client(faulty.url), f"fault-{fault}", LogType="Tail")
    assert len(chunks) == 2
    if fault == "stream_error":
        assert (end["ErrorCode"], json.loads(end["ErrorDetails"])["errorType"]) == ("Unhandled", "ToldToFailError")
        assert "LogResult" in end
    else:
        assert end is None
    assert faulty.ledger()["c"]["answered"] == ("200" if fault == "stream_error" else "part of 200")


def test_an_unmodeled_error_has_its_code(faulty: FaultyEndpoint) -> None:
    with pytest.raises(EventStreamError, match=r"\(ServiceException\).*told to fail"):
        streamed(client(faulty.url), "fault-stream_unmodeled")


def test_a_cut_is_between_frames_or_in_one(faulty: FaultyEndpoint) -> None:
    for fault, rest in (("stream_cut", 0), ("stream_cut_frame", 1)):
        path = f"/2021-11-15/functions/fault-{fault}/response-streaming-invocations"
        with Raw(faulty.url) as raw:
            raw.socket.sendall(f"POST {path} HTTP/1.1\r\nContent-Length: {len(WHOLE)}\r\n\r\n".encode() + WHOLE)
            data, ending = raw.ending()
        chunks = data.partition(b"\r\n\r\n")[2]
        while chunks:
            size, _, chunks = chunks.partition(b"\r\n")
            if len(chunks) < int(size, 16):
                break
            chunks = chunks[int(size, 16) + 2 :]
        assert (ending, len(chunks) > 0) == ("RST", rest)


@pytest.mark.parametrize("function", ["fault-stream_drip-5", "fault-drip-5", "fault-stale", "fault-slow-5"])
def test_a_slow_stream_is_whole(function: str, faulty: FaultyEndpoint) -> None:
    chunks, end = streamed(client(faulty.url), function)
    assert (len(chunks), b"".join(chunks), end) == (4, WHOLE, {})


def test_a_function_that_fails_before_it_streams(faulty: FaultyEndpoint) -> None:
    chunks, end = streamed(client(faulty.url), "fault-function_error")
    assert (chunks, end["ErrorCode"]) == ([], "Unhandled")


@pytest.mark.parametrize("fault", ["429", "500_started", "403"])
def test_a_stream_that_is_refused(fault: str, faulty: FaultyEndpoint) -> None:
    assert code_of(lambda: streamed(client(faulty.url), f"fault-{fault}")) == CODES[fault]
    assert faulty.ledger()["c"]["started"] == FAULTS[fault].starts


def test_a_fault_of_streams_is_none_of_invoke(faulty: FaultyEndpoint) -> None:
    assert code_of(lambda: invoke(client(faulty.url), "fault-stream_cut"))[0] == 400
    assert faulty.ledger()["c"]["started"] == 0


@given(st.dictionaries(st.from_regex(r":?[a-z-]{1,20}", fullmatch=True), st.text(max_size=20)), st.binary())
def test_botocore_reads_the_frames_back(headers: dict[str, str], payload: bytes) -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(message(headers, payload) * 2)
    events: list[Any] = list(buffer)
    assert [(event.headers, event.payload) for event in events] == [(headers, payload)] * 2


# Connections and TLS.


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("reset_before_reading", (b"", "RST")),
        ("close_before_reading", (b"", "FIN")),
        ("accept_hang", (b"", "open")),
    ],
)
def test_connections_meet_faults_on_listeners_of_their_own_and_in_turn(
    fault: str, seen: tuple[bytes, str], faulty: FaultyEndpoint
) -> None:
    with Raw(faulty.urls[fault]) as raw:
        assert raw.ending(SILENCE if seen[1] == "open" else PATIENCE) == seen
    faulty.next_connections(fault, fault)
    for _ in range(2):
        with Raw(faulty.url) as raw:
            assert raw.ending(SILENCE if seen[1] == "open" else PATIENCE) == seen
    assert invoke(client(faulty.url), "orders")[1] == WHOLE
    assert faulty.counts()["connections"] == 1


def test_an_orderly_end_with_bytes_unread_is_no_reset(faulty: FaultyEndpoint) -> None:
    with Raw(faulty.urls["close_before_reading"]) as raw:
        raw.send("orders", b"x" * 1_000_000)
        assert raw.ending() == (b"", "FIN")


def test_behind_tls_all_is_as_without(secured: FaultyEndpoint) -> None:
    lambda_client = client(secured.url, verify=str(secured.ca_bundle))
    assert secured.url.startswith("https://")
    assert invoke(lambda_client, "bytes-1mb")[1] == b'"' + b"x" * (1024 * 1024 - 2) + b'"'
    assert streamed(lambda_client, "orders")[0] != []
    for fault in ("reset_after_body", "close_after_body"):
        with pytest.raises((ConnectionClosedError, SSLError)):
            invoke(lambda_client, f"fault-{fault}")
    for fault in ("reset_mid_answer", "truncated_body", "headers_only"):
        with pytest.raises(ResponseStreamingError):
            invoke(lambda_client, f"fault-{fault}")
    assert code_of(lambda: invoke(lambda_client, "fault-429"))[0] == 429
    assert secured.ledger()["c"]["started"] == 7


@pytest.mark.parametrize("fault", [name for name in OF_CONNECTIONS if name.startswith("tls_")])
def test_a_handshake_is_refused(fault: str, secured: FaultyEndpoint) -> None:
    expected = ConnectionClosedError if fault == "tls_refuse" else SSLError
    for told in (False, True):
        if told:
            secured.next_connections(fault)
        url = secured.url if told else secured.urls[fault]
        with pytest.raises(expected):
            invoke(client(url, verify=str(secured.ca_bundle)), "orders")
    assert secured.ledger() == {}
    assert invoke(client(secured.url, verify=str(secured.ca_bundle)), "orders")[1] == WHOLE


def test_an_alert_is_one(secured: FaultyEndpoint) -> None:
    with Raw(secured.urls["tls_alert"]) as raw, pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        ssl.create_default_context().wrap_socket(raw.socket, server_hostname="127.0.0.1")


def test_nobody_trusts_the_untrusted_certificate(secured: FaultyEndpoint) -> None:
    with pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        invoke(client(secured.urls["untrusted"], verify=str(secured.ca_bundle)), "orders")
    assert secured.ledger() == {}
    assert secured.ca_bundle is not None
    authority = secured.ca_bundle.with_name("untrusted-ca.pem")
    assert invoke(client(secured.urls["untrusted"], verify=str(authority)), "orders")[1] == WHOLE


def test_a_client_that_breaks_off_the_handshake_harms_nobody(secured: FaultyEndpoint) -> None:
    for data in (b"", b"no ClientHello\r\n\r\n"):
        with Raw(secured.url) as raw:
            raw.socket.sendall(data)
            raw.reset()
    assert invoke(client(secured.url, verify=str(secured.ca_bundle)), "orders")[1] == WHOLE
