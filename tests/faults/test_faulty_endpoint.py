"""The endpoint of faults, seen by raw sockets: each fault ends as it is meant, and the ledger knows whether it ran."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.faulty_endpoint import ERRORS, INVOKE_FAULTS, NOT_STARTED, STREAM_FAULTS, Entry, draw, faulty_endpoint

BODY = b'{"call": "c"}'
INVOKE = "/2015-03-31/functions/f/invocations"
STREAM = "/2021-11-15/functions/f/response-streaming-invocations"
ENDS = {
    "FIN": {"close_before_reading", "close_after_body", "truncated_body", "garbage", "headers_only", "stale"},
    "RST": {
        *("reset_before_reading", "reset_after_headers", "reset_after_body", "reset_mid_answer"),
        *("stream_cut", "stream_cut_frame"),
    },
}
"""How a connection ends. It stays open after any other fault."""
NOTHING = {
    *("hang", "reset_before_reading", "reset_after_headers", "reset_after_body"),
    *("close_before_reading", "close_after_body"),
}
"""Faults after which not a byte has come."""
LAST = {
    **{fault: b'"told to fail"}' if code else b"</html>" for fault, code in ERRORS.items()},
    "malformed_error": b'"mess',
    "garbage": b"no HTTP at all\r\n\r\n\x00",
    "headers_only": b"\r\n\r\n",
    "headers_hang": b"\r\n\r\n",
}
"""What is sent last."""
LAST_OF_INVOKE = {
    "function_error": b'"ToldToFailError"}',
    "wrong_length": b'{"forged":true}',
    "reset_mid_answer": BODY[: len(BODY) // 2],
    "truncated_body": BODY[: len(BODY) // 2],
}
CUT = {"stream_cut", "stream_cut_frame", "reset_mid_answer", "truncated_body", "stream_hang"}
"""Faults in the middle of a stream, which do not let its end be sent."""


def meet(url: str, last: bytes, path: str = INVOKE, *, stays_open: bool) -> tuple[bytes, str]:
    """What a request is answered with, and how its connection ends."""
    address = urlsplit(url)
    request = f"POST {path} HTTP/1.1\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY
    with socket.create_connection((str(address.hostname), address.port or 0), timeout=20) as connection:
        connection.sendall(request)
        data = b""
        try:
            while True:
                if stays_open and last in data:
                    connection.settimeout(0.1)
                more = connection.recv(65_536)
                if not more:
                    return data, "FIN"
                data += more
        except TimeoutError:
            return data, "open"
        except ConnectionResetError:
            return data, "RST"


@pytest.mark.parametrize(
    ("fault", "path"),
    [(fault, INVOKE) for fault in INVOKE_FAULTS] + [(fault, STREAM) for fault in STREAM_FAULTS if fault not in ERRORS],
)
def test_a_fault_is_seen_and_the_ledger_knows_whether_it_ran(fault: str, path: str) -> None:
    expected = next((ending for ending, faults in ENDS.items() if fault in faults), "open")
    last = LAST_OF_INVOKE.get(fault, BODY) if path == INVOKE else b"PayloadChunk" if fault in CUT else b"0\r\n\r\n"
    with faulty_endpoint(seed=7) as endpoint:
        endpoint.invoke_weights = endpoint.stream_weights = {fault: 1}
        last = b"" if fault in NOTHING else LAST.get(fault, last)
        data, ending = meet(endpoint.url, last, path, stays_open=expected == "open")
        entry = endpoint.ledger["c"]
    assert (ending, entry) == (expected, Entry(1, fault not in NOT_STARTED, fault))
    assert last in data
    assert (data == b"") == (fault in NOTHING)
    if fault in CUT:
        assert BODY not in data
        assert not data.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("fault", "ending"), [("reset_before_reading", "RST"), ("close_before_reading", "FIN"), ("accept_hang", "open")]
)
def test_a_listener_of_its_own_meets_every_connection_with_its_fault(fault: str, ending: str) -> None:
    with faulty_endpoint(seed=7) as endpoint:
        assert meet(endpoint.urls[fault], b"", stays_open=ending == "open") == (b"", ending)
        assert endpoint.ledger == {}


@given(
    st.integers(),
    st.text(),
    st.integers(1),
    st.dictionaries(st.sampled_from(STREAM_FAULTS), st.just(1.0), min_size=1),
)
def test_the_draw_depends_on_its_arguments_alone(seed: int, call: str, attempt: int, weights: dict[str, float]) -> None:
    drawn = draw(seed, call, attempt, weights)
    assert drawn in weights
    assert draw(seed, call, attempt, dict(reversed(weights.items()))) == drawn


def test_the_draw_tells_attempts_calls_and_seeds_apart() -> None:
    weights = dict.fromkeys(INVOKE_FAULTS, 1.0)
    drawn = {
        tuple(draw(seed, str(call), attempt, weights) for call in range(offset, offset + 20))
        for seed, attempt, offset in ((1, 1, 0), (2, 1, 0), (1, 2, 0), (1, 1, 20))
    }
    assert len(drawn) == 4
