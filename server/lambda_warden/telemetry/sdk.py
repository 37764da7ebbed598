"""Exports spans and metrics by OpenTelemetry's SDK. Needs the extra `otel`, so nothing imports this at its top."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status
from prometheus_client import start_http_server

from lambda_warden import __version__
from lambda_warden.errors import SettingsError

_HOST: Final = "127.0.0.1"
_SHOWN: Final = 200
"""Characters of what a client named: a tool that there is not, or a request's id."""
_END_SECONDS: Final = 1.5
"""For what is still to be exported when the server ends. Hosts wait for some two seconds before they kill it."""


def start(*, otlp: bool, metrics_port: int | None) -> tuple[Callable[[], None], int | None]:
    """Begin to export. At most once a process.

    Args:
        otlp: spans and metrics by OTLP over HTTP, to where the OTEL_* variables say.
        metrics_port: serve metrics for Prometheus on 127.0.0.1; 0 takes any port that is free.

    Returns:
        What exports the rest, in a few seconds at the most, and ends it; and the port of the metrics, if there is one.

    Raises:
        SettingsError: if the port can't be used.
    """
    # What the operator's variables say comes last, and so counts.
    named = {"service.name": "lambda-warden", "service.version": __version__, "service.instance.id": str(uuid.uuid4())}
    resource = Resource.create(named).merge(OTELResourceDetector().detect())
    readers: list[MetricReader] = []
    ends: list[Callable[[], object]] = []
    port = None
    if otlp:
        tracing = TracerProvider(resource=resource, shutdown_on_exit=False)
        tracing.add_span_processor(BatchSpanProcessor(Wordless(OTLPSpanExporter())))
        trace.set_tracer_provider(tracing)
        BotocoreInstrumentor().instrument()  # type: ignore[no-untyped-call]
        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
        ends.append(tracing.shutdown)
    if metrics_port is not None:
        readers.append(PrometheusMetricReader())
        try:
            server, _ = start_http_server(metrics_port, addr=_HOST)
        except OSError as error:
            raise SettingsError(f"--metrics-port {metrics_port} can't be used: {error.strerror}") from error
        port = server.server_port
    measuring = MeterProvider(readers, resource=resource, shutdown_on_exit=False)
    metrics.set_meter_provider(measuring)
    ends.append(measuring.shutdown)

    def stop() -> None:
        threads = [threading.Thread(target=end, daemon=True) for end in ends]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(_END_SECONDS)

    return stop, port


class Wordless(SpanExporter):
    """Exports spans without what errors say: their messages may quote a payload or an answer.

    Args:
        to: what exports them.
    """

    def __init__(self, to: SpanExporter) -> None:
        self._to = to

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export them."""
        return self._to.export([_wordless(span) for span in spans])

    def shutdown(self) -> None:
        """End."""
        self._to.shutdown()


def _wordless(span: ReadableSpan) -> ReadableSpan:
    attributes: dict[str, Any] = {
        name: value[:_SHOWN] if isinstance(value, str) else value for name, value in (span.attributes or {}).items()
    }
    return ReadableSpan(
        span.name[:_SHOWN],
        span.context,
        span.parent,
        span.resource,
        attributes,
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
