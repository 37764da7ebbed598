"""CloudWatch Logs as a sink: a log stream for each writer.

Source: CloudWatch Logs API reference, PutLogEvents: a batch holds up to 10,000 events and 1 MB, in the order of their
times, which span 24 hours at the most and lie no more than 14 days back; what is too old or new is answered with 200
and `rejectedLogEventsInfo`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from lambda_warden.aws.sink_client import problems
from lambda_warden.errors import SinkError
from lambda_warden.model.sink_entry import SinkEntry, last_record

_SPAN_MS: Final = 23 * 3600 * 1000


class LogSink:
    """A log group, whose streams are named PREFIX-WRITER; see `Sink`.

    Args:
        client: of CloudWatch Logs.
        group: its name. It has to be there, with the retention that the operator wants.
        prefix: of the streams' names.
    """

    def __init__(self, client: Any, group: str, prefix: str) -> None:
        self._client = client
        self._group = group
        self._prefix = prefix

    def write(self, entries: Sequence[SinkEntry]) -> None:
        """Put them into the writer's stream, which is made if it isn't there; see `Sink.write`."""
        stream = {"logGroupName": self._group, "logStreamName": f"{self._prefix}-{entries[0].writer}"}
        put = {**stream, "logEvents": _events(entries, round(time.time() * 1000))}
        with problems():
            try:
                answer = self._client.put_log_events(**put)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "ResourceNotFoundException":
                    raise
                self._client.create_log_stream(**stream)
                answer = self._client.put_log_events(**put)
        if not answer["ResponseMetadata"].get("RequestId"):
            raise SinkError("what answered is not CloudWatch Logs")  # but a proxy, say
        if rejected := answer.get("rejectedLogEventsInfo"):
            raise SinkError(f"CloudWatch Logs rejected events: {rejected}")

    def last_seq(self, writer: str) -> int:
        """By the newest events of its stream; see `Sink.last_seq`."""
        return last_record(self._stream(f"{self._prefix}-{writer}", newest=True), writer)

    def lines(self) -> Iterator[str]:
        """All events of all streams with the prefix; see `Sink.lines`."""
        with problems():
            pages = self._client.get_paginator("describe_log_streams").paginate(
                logGroupName=self._group, logStreamNamePrefix=f"{self._prefix}-"
            )
            names = [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
        for name in names:
            yield from self._stream(name)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _stream(self, name: str, *, newest: bool = False) -> Iterator[str]:
        """The events of a stream; if `newest`, its last page that has any."""
        place: dict[str, Any] = {"logGroupName": self._group, "logStreamName": name, "startFromHead": not newest}
        token = None
        while True:
            with problems():
                try:
                    page = self._client.get_log_events(**place, **({"nextToken": token} if token else {}))
                except ClientError as error:
                    if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
                        return
                    raise
            yield from (event["message"] for event in page["events"])
            following = page["nextBackwardToken" if newest else "nextForwardToken"]
            if following == token or (newest and page["events"]):
                return
            token = following


def _events(entries: Sequence[SinkEntry], now: int) -> list[dict[str, Any]]:
    """Each at the time that its record has, as far as CloudWatch Logs takes that."""
    events: list[dict[str, Any]] = []
    at = now - _SPAN_MS
    for entry in entries:
        at = min(max(at, round(datetime.fromisoformat(entry.at).timestamp() * 1000)), now)
        events.append({"timestamp": at, "message": entry.line})
    return events
