"""An OpenTelemetry collector on this machine: takes OTLP over HTTP, and writes spans and metrics to a file.

The file is as the Collector's file exporter writes it: an `ExportTraceServiceRequest` or `ExportMetricsServiceRequest`
in JSON a line.
"""

from __future__ import annotations

import base64
import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_KINDS: dict[str, Any] = {"/v1/traces": ExportTraceServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}


@dataclass(frozen=True)
class Span:
    """One span of a collector's file."""

    name: str
    span_id: str
    parent_id: str | None
    trace_id: str
    kind: str
    scope: str
    began: int
    nanoseconds: int
    error: bool
    attributes: dict[str, Any] = field(hash=False)


@contextmanager
def collector(file: Path) -> Iterator[str]:
    """Run it, and give its URL."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            message = _KINDS[self.path].FromString(body)
            with lock, file.open("a") as lines:
                lines.write(json.dumps(MessageToDict(message)) + "\n")
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    file.touch()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _lines(file: Path, key: str) -> Iterator[Any]:
    for line in file.read_text().splitlines():
        yield from json.loads(line).get(key, ())


def spans(file: Path) -> list[Span]:
    """The spans of a collector's file, in the order in which they began."""
    found = [
        _span(scope["scope"]["name"], span)
        for resource in _lines(file, "resourceSpans")
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    return sorted(found, key=lambda span: span.began)


def resources(file: Path) -> list[dict[str, Any]]:
    """The attributes of each resource that told of spans."""
    return [_attributes(resource["resource"]) for resource in _lines(file, "resourceSpans")]


def _span(scope: str, span: dict[str, Any]) -> Span:
    began, ended = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    parent = span.get("parentSpanId")
    return Span(
        name=span["name"],
        span_id=_hex(span["spanId"]),
        parent_id=_hex(parent) if parent else None,
        trace_id=_hex(span["traceId"]),
        kind=span["kind"].removeprefix("SPAN_KIND_"),
        scope=scope,
        began=began,
        nanoseconds=ended - began,
        error=span["status"].get("code") == "STATUS_CODE_ERROR",
        attributes=_attributes(span),
    )


def _hex(encoded: str) -> str:
    return base64.b64decode(encoded).hex()


def _attributes(of: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: next(iter(pair["value"].values())) for pair in of.get("attributes", ())}


def points(file: Path) -> dict[str, list[dict[str, Any]]]:
    """The last export's data points of each metric, each with its attributes."""
    found: dict[str, list[dict[str, Any]]] = {}
    for resource in _lines(file, "resourceMetrics"):
        for scope in resource["scopeMetrics"]:
            for metric in scope["metrics"]:
                kind = next(metric[name] for name in ("sum", "gauge", "histogram") if name in metric)
                found[metric["name"]] = [{**point, "attributes": _attributes(point)} for point in kind["dataPoints"]]
    return found


def drawn(of_trace: list[Span]) -> str:
    """A trace as a tree, each span with what kind it is and what it tells; ids and times, which differ, as dots."""
    children: dict[str | None, list[Span]] = {}
    known = {span.span_id for span in of_trace}
    for span in of_trace:
        children.setdefault(span.parent_id if span.parent_id in known else None, []).append(span)
    lines: list[str] = []

    def draw(span: Span, depth: int) -> None:
        kind = "" if span.kind == "INTERNAL" else f"  {span.kind}"
        lines.append(f"{'   ' * depth}{span.name}{kind}{'  ERROR' if span.error else ''}")
        for name, value in sorted(span.attributes.items()):
            shown = "…" if name in _DIFFER else value
            lines.append(f"{'   ' * depth}   · {name} = {shown}")
        for child in children.get(span.span_id, ()):
            draw(child, depth + 1)

    for root in children.get(None, ()):
        draw(root, 0)
    return "\n".join(lines)


_DIFFER = {"lambda_warden.invocation_id", "jsonrpc.request.id", "server.port", "aws.request_id"}
