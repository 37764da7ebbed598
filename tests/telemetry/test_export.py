"""What an operator sees of calls: the spans and metrics that a collector takes, what Prometheus reads, and the log."""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import stdio_client

from support.approvals import approver
from support.collector import Span, collector, drawn, points, resources, spans
from support.scripted_endpoint import Received, ScriptedEndpoint, refused, returned, scripted_endpoint
from support.warden import allow, arn, stdio, structured, write_manifest

pytestmark = pytest.mark.anyio

SECRET = "what-nobody-but-the-function-may-see"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
PAGE = Path(__file__).parents[2] / "docs" / "observability.md"
STAGES = ["resolve", "decide", "key", "mode", "alias", "approve", "queue", "admit", "invoke", "report", "finish"]


@dataclass(frozen=True)
class Seen:
    """What was seen of some calls, and what those were answered."""

    file: Path
    log: list[dict[str, Any]]
    prometheus: str
    answers: dict[str, dict[str, Any]]
    received: list[Received]

    def trace(self, name: str) -> list[Span]:
        """The spans of the message that got this answer."""
        called = self.answers[name]["invocation_id"]
        found = spans(self.file)
        message = next(span for span in found if span.attributes.get("lambda_warden.invocation_id") == called)
        return [span for span in found if span.trace_id == message.trace_id]

    def sum_of(self, metric: str, **attributes: str) -> float:
        """The sum of a counter's points that have these attributes, or how many values a histogram has of them."""
        wanted = {f"lambda_warden.{name}": value for name, value in attributes.items()}
        return sum(
            float(point.get("count", point.get("asInt", point.get("asDouble", 0))))
            for point in points(self.file)[metric]
            if wanted.items() <= point["attributes"].items()
        )


@asynccontextmanager
async def served(folder: Path, url: str, collected: str, *options: str) -> AsyncIterator[tuple[Client, Path]]:
    """A server that exports, over stdio, and what it writes to stderr."""
    rules = [
        allow("f", effect="read", timeout_seconds=60),  # so that AWS is not asked how long it may run
        allow("told", effect="write", limits={"per_minute": 1}),
        allow("fails-*", effect="read", max_attempts=1),
        allow("asks", "7", approval={"by": "operator"}),
    ]
    manifest = write_manifest(folder, url, rules)
    server = stdio(manifest, folder, "--otel", "--log-format", "json", "--log-level", "DEBUG", *options)
    server.args += ["--approvals-secret-file", str(approver()[0])]
    server.env = {**(server.env or {}), "OTEL_EXPORTER_OTLP_ENDPOINT": collected, "OTEL_SERVICE_NAME": "ours"}
    log = folder / "stderr"
    with log.open("w") as errlog:
        async with Client(stdio_client(server, errlog)) as client:
            yield client, log


async def call(client: Client, tool: str, function: str, **arguments: Any) -> dict[str, Any]:
    meta: Any = {"traceparent": f"00-{TRACE}-{PARENT}-01"} if arguments.pop("traced", False) else None
    return structured(await client.call_tool(tool, {"function": function, **arguments}, meta=meta))


async def seen_of(folder: Path, endpoint: ScriptedEndpoint, file: Path) -> Seen:
    endpoint.behaviours["fails-inside"] = lambda _: returned({"errorMessage": SECRET}, error="Unhandled")
    endpoint.behaviours["fails-before"] = lambda _: refused(404, "ResourceNotFoundException", SECRET)
    payload = {"said": SECRET, "headers": {"mine": "untouched"}}
    with collector(file) as collected:
        async with served(folder, endpoint.url, collected, "--metrics-port", "0") as (client, log):
            answers = {
                "allowed": await call(client, "invoke_function", "f:live", payload=payload),
                "traced": await call(client, "invoke_function", "f:live", payload=payload, traced=True),
                "denied": await call(client, "invoke_function", "not-allowed:live", payload=payload),
                "tried": await call(client, "dry_run", "f:live", payload=payload),
                "function_error": await call(client, "invoke_function", "fails-inside:live", payload=payload),
                "refused": await call(client, "invoke_function", "fails-before:live", payload=payload),
                "first": await call(client, "invoke_function", "told:live", payload={"number": 1}),
                "approval_pending": await call(client, "invoke_function", "asks:7"),
                "limited": await call(client, "invoke_function", "told:live", payload={"number": 2}),
            }
            (port,) = re.findall(r"serving metrics at http://127\.0\.0\.1:(\d+)/metrics", log.read_text())
            text = await anyio.to_thread.run_sync(_read, f"http://127.0.0.1:{port}/metrics")
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return Seen(file, lines, text, answers, list(endpoint.invocations))


def _read(url: str) -> str:
    with urlopen(url, timeout=30) as answer:  # noqa: S310 - on this machine
        return str(answer.read().decode())


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, no_aws_settings: None) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("seen")
    with scripted_endpoint() as endpoint:
        yield anyio.run(seen_of, folder, endpoint, folder / "collected.jsonl")


def test_each_stage_is_a_span_below_the_message_and_botocores_below_invoke(seen: Seen) -> None:
    trace = seen.trace("allowed")
    message, *stages = trace
    assert (message.name, message.scope, message.kind) == (
        "tools/call invoke_function",
        "mcp-python-sdk",
        "SERVER",
    )
    ours = [span for span in stages if span.scope == "lambda_warden"]
    assert [span.name for span in ours] == STAGES
    assert {span.parent_id for span in ours} == {message.span_id}
    (invoke,) = (span for span in ours if span.name == "invoke")
    assert [span.parent_id for span in stages if span.name == "Lambda.Invoke"] == [invoke.span_id]


def test_a_trace_is_drawn_as_the_page_shows_it(seen: Seen) -> None:
    """After a change of the spans: `UPDATE_SNAPSHOTS=1 pytest tests/telemetry`."""
    before, rest = PAGE.read_text().split("```text\n", 1)
    written = before + "```text\n" + drawn(seen.trace("allowed")) + "\n" + rest[rest.index("```") :]
    if os.environ.get("UPDATE_SNAPSHOTS"):
        PAGE.write_text(written)
    assert PAGE.read_text() == written


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("allowed", {"outcome": "succeeded", "effect": "read", "rule": f"{arn('f')} live"}),
        ("denied", {"outcome": "denied", "check": "manifest_rule"}),
        ("tried", {"outcome": "would_invoke"}),
        ("limited", {"outcome": "denied", "check": "limits"}),
        ("function_error", {"outcome": "function_error", "rule": f"{arn('fails-*')} live"}),
    ],
)
def test_the_message_says_how_its_call_ended(seen: Seen, name: str, said: dict[str, str]) -> None:
    message = seen.trace(name)[0].attributes
    assert {f"lambda_warden.{key}": value for key, value in said.items()}.items() <= message.items()


@pytest.mark.parametrize(
    ("name", "error"), [("function_error", "Unhandled"), ("refused", "ResourceNotFoundException"), ("allowed", None)]
)
def test_the_invoke_span_follows_the_conventions_for_functions(seen: Seen, name: str, error: str | None) -> None:
    (invoke,) = (span for span in seen.trace(name) if span.name == "invoke")
    assert invoke.kind == "CLIENT"
    assert invoke.attributes["faas.invoked_name"] == {"allowed": "f", "refused": "fails-before"}.get(
        name, "fails-inside"
    )
    assert (invoke.attributes["faas.invoked_provider"], invoke.attributes["faas.invoked_region"]) == (
        "aws",
        "us-east-1",
    )
    assert (invoke.attributes.get("error.type"), invoke.error) == (error, error is not None)


def test_the_clients_trace_goes_on_to_the_function(seen: Seen) -> None:
    trace = seen.trace("traced")
    assert (trace[0].trace_id, trace[0].parent_id) == (TRACE, PARENT)
    (sent,) = (span for span in trace if span.name == "Lambda.Invoke")
    headers = [received.headers.get("x-amzn-trace-id") for received in seen.received]
    assert f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={sent.span_id};Sampled=1" in headers
    assert None not in headers


def test_what_is_sent_is_what_was_decided_on_whatever_instruments_botocore(seen: Seen) -> None:
    payloads = [json.loads(received.body) for received in seen.received if received.body]
    assert payloads[0] == {"said": SECRET, "headers": {"mine": "untouched"}}
    assert all("traceparent" not in str(payload) for payload in payloads)


def test_no_payload_and_no_answer_is_told(seen: Seen) -> None:
    assert SECRET not in seen.file.read_text()
    assert SECRET not in json.dumps(seen.log)
    assert SECRET not in seen.prometheus
    assert "principal" not in seen.file.read_text()


def test_the_operators_variables_name_the_service(seen: Seen) -> None:
    (told,) = {json.dumps(resource, sort_keys=True) for resource in resources(seen.file)}
    assert json.loads(told)["service.name"] == "ours"


def test_the_metrics_count_calls_denials_limits_and_waits(seen: Seen) -> None:
    assert seen.answers["approval_pending"]["outcome"] == "approval_pending", seen.answers["approval_pending"]
    invoked = {"tool": "invoke_function"}
    assert seen.sum_of("lambda_warden.calls", **invoked, outcome="succeeded") == 3
    assert seen.sum_of("lambda_warden.calls", **invoked, outcome="denied") == 2
    assert seen.sum_of("lambda_warden.call.duration") == 9
    assert seen.sum_of("lambda_warden.invoke.duration", outcome="refused") == 1
    assert seen.sum_of("lambda_warden.denials", check="manifest_rule") == 1
    assert seen.sum_of("lambda_warden.limits.exceeded", limit="per_minute", limited="rule") == 1
    assert seen.sum_of("lambda_warden.queue.wait") == 7
    assert seen.sum_of("lambda_warden.queue.depth") == seen.sum_of("lambda_warden.calls.under_way") == 0
    assert re.search(r"approvals_waiting\{[^}]*\} 1\.0", seen.prometheus)


def test_names_that_callers_make_up_are_no_attributes_of_metrics(seen: Seen) -> None:
    told = json.dumps(points(seen.file))
    assert "fails-*" in told
    assert not any(name in told for name in ("fails-inside", "not-allowed"))


def test_prometheus_reads_the_same(seen: Seen) -> None:
    assert re.search(
        r'calls_total\{lambda_warden_outcome="refused",[^}]*tool="invoke_function"[^}]*\} 1\.0', seen.prometheus
    )


def test_the_log_has_a_line_of_each_call_with_its_ids(seen: Seen) -> None:
    traces = {span.attributes.get("lambda_warden.invocation_id"): span.trace_id for span in spans(seen.file)}
    ours = [line for line in seen.log if line["logger"].startswith("lambda_warden")]
    assert [line["invocation_id"] for line in ours] == [answer["invocation_id"] for answer in seen.answers.values()]
    for line in ours:
        assert line["trace_id"] == traces[line["invocation_id"]]
        assert re.fullmatch(r"[0-9a-f]{16}", line["span_id"])
        assert (line["level"], line["message"].partition(":")[0]) in {("INFO", "invoke_function"), ("INFO", "dry_run")}


async def test_nobody_waits_for_a_collector_that_is_not_there(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with served(tmp_path, endpoint.url, "http://127.0.0.1:9") as (client, _):
        assert (await call(client, "invoke_function", "f:live"))["outcome"] == "succeeded"
