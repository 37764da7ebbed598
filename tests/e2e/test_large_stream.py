"""A streamed answer, from the call to a file: redacted and whole as far as it is held, and its start beyond that."""

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

from lambda_warden.answers.payload import read_payload
from lambda_warden.aws.invoke import HELD_BYTES
from support import loopback_only
from support.audit import payload_hmac
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
    data = answer(12_000_000)
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
        assert "read_result with this invocation_id has all of it, by page or by query." in seen["next_step"]

        call, pages = {"invocation_id": seen["invocation_id"]}, []
        cursor: dict[str, str] = {}
        for _ in range(4):
            page = structured(await client.call_tool("read_result", {**call, "max_bytes": 1_000_000, **cursor}))
            pages.append(page["content"])
            cursor = {"cursor": page["next_cursor"]}
        assert (page["format"], page["original_bytes"], page["redacted"]) == ("json", len(data), whole.redacted)
        kept_log = structured(await client.call_tool("read_result", {**call, "part": "log"}))
        assert kept_log["content"] == LOG.replace(KEY_ID, "[redacted:aws-access-key]")
        queried = structured(await client.call_tool("read_result", {**call, "query": "orders[-1].keys"}))
        assert queried["value"] == ["use [redacted:aws-access-key]"]

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
    assert isinstance(whole.value, dict)
    orders = whole.value["orders"]
    assert isinstance(orders, list)
    assert whole.redacted == len(orders[::5000]) * 2 + 1
    files = b"".join(file.read_bytes() for file in tmp_path.glob("results.sqlite3*"))
    assert [secret for secret in SECRETS if secret.encode() in files] == []


async def test_of_a_stream_larger_than_what_is_held_the_start_is_shown_and_nothing_is_kept(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    data = answer(HELD_BYTES + 2_000_000)
    endpoint.behaviours["report"] = lambda _: streamed(data, complete())
    rule = allow("report", result={"redact": ["/orders/*/card/number"]}, **STREAMED)
    async with warden(tmp_path, endpoint.url, rule) as running:
        seen = structured(await running.call("invoke_function", function="report:live"))
        gone = await running.call("read_result", invocation_id=seen["invocation_id"])
    assert (seen["outcome"], seen["truncated"], seen["payload_bytes"]) == ("succeeded", True, len(data))
    assert seen["payload"]["orders"][0]["card"] == {"number": "[redacted]"}
    assert seen["payload"]["orders"][0]["password"] == "[redacted:password]"
    assert "kept_until" not in seen
    assert "payload_sha256" not in seen
    assert "The answer is too large to be kept" in seen["next_step"]
    assert "no such result, or it has expired" in text_of(gone)
    assert _in_file(tmp_path) == (0, 0)
    with closing(sqlite3.connect(tmp_path / "records.sqlite3")) as db:
        (outcome,) = db.execute("SELECT body FROM events WHERE kind = 'outcome'").fetchone()
    assert json.loads(outcome)["answer_hmac"] == payload_hmac(tmp_path / "records.sqlite3", data)


@pytest.mark.parametrize("end", ["broken off", "without its end"])
async def test_a_stream_that_breaks_off_leaves_nothing(endpoint: ScriptedEndpoint, tmp_path: Path, end: str) -> None:
    reply = streamed(answer(1_000_000), b"")
    if end == "broken off":
        reply = Reply(reply.status, reply.body, reply.headers, fault="cut")
    endpoint.behaviours["report"] = lambda _: reply
    async with warden(tmp_path, endpoint.url, allow("report", **STREAMED)) as running:
        seen = structured(await running.call("invoke_function", function="report:live"))
        assert seen["outcome"] == "unknown"
        assert "kept_until" not in seen
        known = structured(await running.call("read_result", invocation_id=seen["invocation_id"]))
        assert known["invocation"]["outcome"] == "unknown"
        assert "page" not in known
    assert _in_file(tmp_path) == (0, 0)


async def test_a_stream_that_there_is_no_room_for_is_shown_all_the_same(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.behaviours["report"] = lambda _: streamed(answer(3_000_000), complete())
    options: dict[str, Any] = {"results_max_bytes": 2_000_000}
    async with warden(tmp_path, endpoint.url, allow("report", **STREAMED), **options) as running:
        seen = structured(await running.call("invoke_function", function="report:live"))
    assert (seen["outcome"], seen["truncated"]) == ("succeeded", True)
    assert "ask the function for less at a time" in seen["next_step"]
    assert _in_file(tmp_path) == (0, 0)


def _in_file(folder: Path) -> tuple[int, int]:
    """How many results and chunks are in the file."""
    with closing(sqlite3.connect(folder / "results.sqlite3")) as db:
        results, chunks = (db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("results", "chunks"))  # noqa: S608
        return results, chunks
