"""A large answer, from the call to a file: the preview, a query, its pages, and the bytes that came."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jmespath
import pytest
from mcp import Client

from support import loopback_only
from support.scripted_endpoint import ScriptedEndpoint, returned
from support.warden import allow, stdio, structured, text_of, write_manifest

pytestmark = pytest.mark.anyio

ROWS = [
    {
        "id": f"order-{number:06d}",
        "total": number * 1.25,
        "lines": [{"sku": f"sku-{number % 97}", "note": "é" * 20}] * 3,
    }
    for number in range(6_000)
]
ANSWER = json.dumps({"region": "eu-west-1", "orders": ROWS, "next": None}, ensure_ascii=False, indent=1).encode()
QUERY = "orders[?total > `7400`].{id: id, sku: lines[0].sku}"


async def test_a_large_answer_is_seen_queried_paged_and_written_to_a_file(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.behaviours["report"] = lambda _: returned(ANSWER)
    manifest = write_manifest(tmp_path, endpoint.url, [allow("report", effect="read")])
    records = tmp_path / "records.sqlite3"
    async with Client(stdio(manifest, tmp_path, "--records", str(records))) as client:
        result = await client.call_tool("invoke_function", {"function": "report:live"})
        seen = structured(result)
        assert (seen["outcome"], seen["truncated"], seen["payload_bytes"]) == ("succeeded", True, len(ANSWER))
        assert "read_result" in seen["next_step"]
        assert seen["payload"]["region"] == "eu-west-1"
        shown = seen["payload"]["orders"]
        assert shown == ROWS[: len(shown)]
        assert {"path": "/orders", "kept": len(shown), "total": len(ROWS), "unit": "items"} in seen["omitted"]
        assert len(json.dumps(seen)) + len(text_of(result)) < 75_000

        queried = structured(await client.call_tool("read_result", _of(seen, query=QUERY)))
        assert queried["value"] == jmespath.search(QUERY, json.loads(ANSWER))

        again = structured(await client.call_tool("invoke_function", {"function": "report:live", "query": QUERY}))
        assert again["payload"] == queried["value"]

        pages, cursor = [], None
        while True:
            page = structured(await client.call_tool("read_result", _of(seen, max_bytes=1_000_000, cursor=cursor)))
            pages.append(page["content"])
            cursor = page.get("next_cursor")
            if cursor is None:
                break
        assert len(pages) > 30  # however much was asked for, one page is no larger than a host passes on
        assert "".join(pages).encode() == ANSWER

        command = [sys.executable, "-m", "lambda_warden", "result", seen["invocation_id"]]
        file = tmp_path / "answer.json"
        with file.open("wb") as output:
            subprocess.run(
                [*command, "--results", str(tmp_path / "results.sqlite3")],
                stdout=output,
                check=True,
                env=loopback_only.environment(str(tmp_path)),
            )
        assert file.read_bytes() == ANSWER
    assert len(endpoint.started) == 2


def _of(seen: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    wanted = {key: value for key, value in arguments.items() if value is not None}
    return {"invocation_id": seen["invocation_id"], **wanted}
