"""A streamed answer larger than what is held in memory, from the call to a file: redacted, and whole."""

from __future__ import annotations

import base64
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from lambda_warden.aws.invoke import MEMORY_LIMIT
from lambda_warden.report.payload import read_payload
from support import loopback_only
from support.event_stream import CONTENT_TYPE, chunk, complete
from support.scripted_endpoint import Reply, ScriptedEndpoint
from support.warden import allow, stdio, structured, text_of, warden, write_manifest

pytestmark = pytest.mark.anyio

KEY_ID = "AKIA" + "IOSFODNN7EXAMPLE"
PASSWORD = "hunter2-and-more"
CARD = "4111-0000-1111"
SECRETS = (KEY_ID, PASSWORD, CARD)
LOG = f"START\nusing {KEY_ID}\nEND"
STREAMED = {"effect": "read", "invoke_mode": "RESPONSE_STREAM"}
PIECE = 100_000


def answer(size: int) -> bytes:
    """Orders, of which some hold what must not be shown."""
    orders: list[dict[str, Any]] = [
        {"id": f"order-{number:06d}", "total": number * 1.25, "note": f"é{'…' * 40}"} for number in range(size // 180)
    ]
    for order in orders[::5000]:
        order |= {"password": PASSWORD, "card": {"number": CARD}}
    orders[-1]["keys"] = [f"use {KEY_ID}"]
    return json.dumps({"region": "eu-west-1", "orders": orders, "next": None}, ensure_ascii=False).encode()


def streamed(data: bytes, end: bytes) -> Reply:
    """An answer as InvokeWithResponseStream gives it."""
    pieces = [chunk(data[start : start + PIECE]) for start in range(0, len(data), PIECE)]
    return Reply(body=b"".join([*pieces, end]), headers={"Content-Type": CONTENT_TYPE, "X-Amz-Executed-Version": "7"})


async def test_a_large_stream_is_seen_paged_and_written_to_a_file(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    data = answer(17_500_000)
    whole = read_payload(data, [("orders", "*", "card", "number")])
    log = base64.b64encode(LOG.encode()).decode()
    endpoint.behaviours["report"] = lambda _: streamed(data, complete(log=log))
    rule = allow("report", result={"redact": ["/orders/*/card/number"]}, **STREAMED)
    manifest = write_manifest(tmp_path, endpoint.url, [rule])
    async with Client(stdio(manifest, tmp_path, "--records", str(tmp_path / "records.sqlite3"))) as client:
        result = await client.call_tool("invoke_function", {"function": "report:live"})
        seen = structured(result)
        assert (seen["outcome"], seen["truncated"], seen["payload_bytes"]) == ("succeeded", True, len(data))
        assert seen["kept_until"] > "2000"
        assert "read_result with this invocation_id has all of it, page by page." in seen["next_step"]

        call, pages = {"invocation_id": seen["invocation_id"]}, []
        cursor: dict[str, str] = {}
        for _ in range(4):
            page = structured(await client.call_tool("read_result", {**call, "max_bytes": 1_000_000, **cursor}))
            pages.append(page["content"])
            cursor = {"cursor": page["next_cursor"]}
        assert (page["format"], page["original_bytes"], page["redacted"]) == ("json", len(data), whole.redacted)
        kept_log = structured(await client.call_tool("read_result", {**call, "part": "log"}))
        assert kept_log["content"] == LOG.replace(KEY_ID, "[redacted:aws-access-key]")
        queried = await client.call_tool("read_result", {**call, "query": "region"})
        assert "at most 16,777,216 are searched" in text_of(queried)

        command = [sys.executable, "-m", "lambda_warden", "result", seen["invocation_id"]]
        written = subprocess.run(
            [*command, "--results", str(tmp_path / "results.sqlite3")],
            capture_output=True,
            check=True,
            env=loopback_only.environment(str(tmp_path)),
        )
    assert written.stderr.decode() == f"Redacted: {whole.redacted} places.\n"
    assert written.stdout.decode().startswith("".join(pages))
    assert json.loads(written.stdout) == whole.value
    # What holds no secret is as the function wrote it.
    at = data.index(b'{"id": "order-000001"')
    assert data[at : at + 500_000] in written.stdout
    assert isinstance(whole.value, dict)
    orders = whole.value["orders"]
    assert isinstance(orders, list)
    assert whole.redacted == len(orders[::5000]) * 2 + 1
    files = b"".join(file.read_bytes() for file in tmp_path.glob("results.sqlite3*"))
    assert [secret for secret in SECRETS if secret.encode() in files] == []


@pytest.mark.parametrize("end", ["broken off", "without its end"])
async def test_a_large_stream_that_breaks_off_leaves_nothing(
    endpoint: ScriptedEndpoint, tmp_path: Path, end: str
) -> None:
    reply = streamed(answer(2 * MEMORY_LIMIT + 2_000_000), b"")
    if end == "broken off":
        reply = Reply(reply.status, reply.body, reply.headers, fault="cut")
    endpoint.behaviours["report"] = lambda _: reply
    async with warden(tmp_path, endpoint.url, allow("report", **STREAMED)) as running:
        seen = structured(await running.call("invoke_function", function="report:live"))
        assert seen["outcome"] == "unknown"
        assert "kept_until" not in seen
        gone = await running.call("read_result", invocation_id=seen["invocation_id"])
        assert text_of(gone) == "no such result, or it has expired"
    assert _in_file(tmp_path) == (0, 0)


async def test_a_large_stream_in_which_places_can_t_be_found_is_not_kept(
    endpoint: ScriptedEndpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.behaviours["report"] = lambda _: streamed(f"card {CARD}\n".encode() * 500_000, complete())
    async with warden(tmp_path, endpoint.url, allow("report", result={"redact": ["/card"]}, **STREAMED)) as running:
        seen = structured(await running.call("invoke_function", function="report:live"))
    assert (seen["outcome"], seen["payload_bytes"]) == ("succeeded", 10_000_000)
    assert "kept_until" not in seen
    assert f"what {seen['invocation_id']} returned is not kept: it is not JSON" in caplog.text
    assert _in_file(tmp_path) == (0, 0)


async def test_a_stream_that_there_is_no_room_for_is_shown_all_the_same(
    endpoint: ScriptedEndpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.behaviours["report"] = lambda _: streamed(answer(10_000_000), complete())
    options: dict[str, Any] = {"results_max_bytes": 2_000_000}
    async with warden(tmp_path, endpoint.url, allow("report", **STREAMED), **options) as running:
        seen = structured(await running.call("invoke_function", function="report:live"))
    assert (seen["outcome"], seen["truncated"]) == ("succeeded", True)
    assert "ask the function for less at a time" in seen["next_step"]
    assert "there is no room for it" in caplog.text
    assert _in_file(tmp_path) == (0, 0)


async def test_a_stream_that_fits_the_memory_is_kept_as_ever(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    data = answer(1_000_000)[:-1]  # no JSON
    endpoint.behaviours["report"] = lambda _: streamed(data, complete())
    async with warden(tmp_path, endpoint.url, allow("report", **STREAMED)) as running:
        seen = structured(await running.call("invoke_function", function="report:live"))
        page = structured(await running.call("read_result", invocation_id=seen["invocation_id"]))
    assert page["format"] == "text"
    assert page["total_bytes"] == len(str(read_payload(data).value).encode())


def _in_file(folder: Path) -> tuple[int, int]:
    """How many results and chunks are in the file."""
    with closing(sqlite3.connect(folder / "results.sqlite3")) as db:
        results, chunks = (db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("results", "chunks"))  # noqa: S608
        return results, chunks
