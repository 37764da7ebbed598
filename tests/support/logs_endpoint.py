"""A CloudWatch Logs endpoint that does as it is told: pages, empty pages, throttling, events that come late."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_JSON = "application/x-amz-json-1.1"


@dataclass(frozen=True)
class Logged:
    """One event. It is there from the search with the number `late` on, 0 for the first."""

    stream: str
    timestamp: int
    message: str
    late: int = 0


@dataclass(frozen=True)
class Asked:
    """One request, as it arrived."""

    operation: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]


class LogsEndpoint:
    """A running endpoint.

    `groups` are the log groups with their events; `page_size` how many events a page holds, with an empty page before
    each if `empty_pages`; `throttled` how many requests are turned away first; `refusal` an error code for all.
    """

    groups: dict[str, list[Logged]]
    received: list[Asked]
    page_size: int
    empty_pages: bool
    throttled: int
    refusal: str | None
    body: bytes | None

    def __init__(self) -> None:
        self.reset()
        self._lock = threading.Lock()
        self._server = _server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def reset(self) -> None:
        self.groups, self.received = {}, []
        self.page_size, self.empty_pages, self.throttled, self.refusal, self.body = 1000, False, 0, None, None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def searches(self) -> list[Asked]:
        """The first page of each search."""
        return [
            asked for asked in self.received if asked.operation == "FilterLogEvents" and "nextToken" not in asked.body
        ]

    def answer(self, asked: Asked) -> tuple[int, bytes]:
        with self._lock:
            self.received.append(asked)
            if self.throttled:
                self.throttled -= 1
                return _error("ThrottlingException", "Rate exceeded")
        if self.refusal:
            return _error(self.refusal, "told to refuse")
        if self.body is not None:
            return 200, self.body
        events = self.groups.get(asked.body["logGroupName"])
        if events is None:
            return _error("ResourceNotFoundException", "The specified log group does not exist.")
        there = sorted(
            (event for event in events if event.late < max(1, len(self.searches))), key=lambda event: event.timestamp
        )
        return 200, json.dumps(getattr(self, f"_{asked.operation}")(asked.body, there)).encode()

    def _FilterLogEvents(self, body: Mapping[str, Any], there: list[Logged]) -> dict[str, Any]:  # noqa: N802
        pattern = body["filterPattern"]
        # One term in quotes, or several of which any will do.
        terms = re.findall(r'\?"([^"]+)"', pattern) if pattern[0] == "?" else [pattern[1:-1]]
        assert pattern in (f'"{terms[0]}"', " ".join(f'?"{term}"' for term in terms))
        last = body.get("endTime", float("inf"))
        found = [
            event
            for event in there
            if any(term in event.message for term in terms) and body["startTime"] <= event.timestamp <= last
        ]
        if body.get("startFromHead") is False:
            found.reverse()
        page, following = self._page(found, int(body.get("nextToken", 0)))
        answer: dict[str, Any] = {"events": [_event(each, logStreamName=each.stream) for each in page]}
        return answer | ({} if following is None else {"nextToken": str(following)})

    def _GetLogEvents(self, body: Mapping[str, Any], there: list[Logged]) -> dict[str, Any]:  # noqa: N802
        assert body["startFromHead"] is True
        end = body.get("endTime", float("inf"))
        found = [
            event
            for event in there
            if event.stream == body["logStreamName"] and body["startTime"] <= event.timestamp < end
        ]
        place = int(body.get("nextToken", "f/0").removeprefix("f/"))
        page, following = self._page(found, place)
        token = f"f/{self._end_of(found) if following is None else following}"
        return {"events": [_event(each) for each in page], "nextForwardToken": token, "nextBackwardToken": "b/0"}

    def _page(self, found: list[Logged], place: int) -> tuple[list[Logged], int | None]:
        """The page at a place, and the next place if there is one. With empty pages, every other place has none."""
        if self.empty_pages:
            number, is_full = divmod(place, 2)
            page = found[number * self.page_size : (number + 1) * self.page_size] if is_full else []
        else:
            page = found[place * self.page_size : (place + 1) * self.page_size]
        return page, place + 1 if place + 1 < self._end_of(found) else None

    def _end_of(self, found: list[Logged]) -> int:
        pages = max(1, -(-len(found) // self.page_size))
        return pages * 2 if self.empty_pages else pages


@contextmanager
def logs_endpoint() -> Iterator[LogsEndpoint]:
    """Run an endpoint while the context lasts."""
    endpoint = LogsEndpoint()
    try:
        yield endpoint
    finally:
        endpoint.close()


def _event(event: Logged, **more: str) -> dict[str, Any]:
    return {"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.timestamp, **more}


def _error(code: str, message: str) -> tuple[int, bytes]:
    return 400, json.dumps({"__type": code, "message": message}).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the tests."""


def _server(endpoint: LogsEndpoint) -> _Server:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def log_message(self, *args: Any) -> None:
            """Nothing: the tests look at `received`."""

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            target, operation = self.headers["X-Amz-Target"].split(".")
            assert target == "Logs_20140328"
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = endpoint.answer(Asked(operation, body, headers))
            self.send_response(status)
            self.send_header("Content-Type", _JSON)
            self.send_header("x-amzn-RequestId", "4f2c1d7e-0000-4000-8000-00000000000f")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    return _Server(("127.0.0.1", 0), Handler)
