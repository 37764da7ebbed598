"""How much of a model's context common answers take: our result, the raw output of `aws lambda invoke`, and a peer's.

    python benchmarks/tokens.py [--peer COMMAND …]

Bytes, of which a token has three to four. The raw output is what the CLI leaves a model to read: the file with the
payload, the JSON beside it, and with `--log-type Tail` the log in base64, which has to be decoded to be read at all.
Ours is the structured result; a host that shows text alone takes the second figure.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import anyio
from harness import PREFIX, ROOT, Peer, add_peer_options, boto_client, endpoint, peer_of, warden_server, write_manifest
from mcp import Client
from mcp.types import CallToolResult, TextContent

sys.path.insert(0, str(ROOT / "tests"))
from support.common_answers import ANSWERS


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="The size of results, beside the AWS CLI's and a peer's.")
    add_peer_options(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, endpoint() as url:
        anyio.run(_measure, Path(name), url, peer_of(options))


async def _measure(folder: Path, url: str, peer: Peer | None) -> None:
    manifest = write_manifest(folder, url, [f"answer-{name}" for name in ANSWERS])
    boto = boto_client(url)
    print(f"{'bytes a model reads':<16}{'aws cli':>12}{'structured':>12}{'text':>10}{'peer':>12}")
    async with Client(warden_server(folder, url, manifest)) as client:
        for name in ANSWERS:
            raw = boto.invoke(FunctionName=PREFIX + f"answer-{name}", Qualifier="live", LogType="Tail", Payload=b"{}")
            cli = len(raw["Payload"].read()) + len(_printed_by_the_cli(raw))
            result = await client.call_tool("invoke_function", {"function": f"answer-{name}:live", "payload": {}})
            structured = len(json.dumps(result.structured_content, ensure_ascii=False).encode())
            beside = "-" if peer is None else f"{await _of_peer(peer, url, folder, name):,}"
            print(f"{name:<16}{cli:>12,}{structured:>12,}{_text(result):>10,}{beside:>12}")


def _printed_by_the_cli(raw: Any) -> str:
    shown = {key: raw[key] for key in ("StatusCode", "FunctionError", "LogResult", "ExecutedVersion") if key in raw}
    return json.dumps(shown, indent=4)


def _text(result: CallToolResult) -> int:
    return sum(len(block.text.encode()) for block in result.content if isinstance(block, TextContent))


async def _of_peer(peer: Peer, url: str, folder: Path, name: str) -> int:
    tool = peer.tool.replace("{name}", name.replace("-", "_"))
    async with Client(peer.server(url, folder)) as client:
        result = await client.call_tool(tool, peer.with_payload({}))
        structured = json.dumps(result.structured_content).encode() if result.structured_content else b""
        return max(_text(result), len(structured))


if __name__ == "__main__":
    main()
