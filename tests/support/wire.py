"""MCP on the wire: lines of JSON-RPC as a client of either era writes them, without an SDK between."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
_META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "wire", "version": "0"},
    _CAPABILITIES: {},
}


def request(
    number: int, method: str, params: dict[str, Any], *, legacy: bool = False, extensions: Sequence[str] = ()
) -> bytes:
    """One request of revision 2026-07-28, self-contained; or of the era of handshakes, after `handshake`."""
    declared: dict[str, Any] = {_CAPABILITIES: {"extensions": {name: {} for name in extensions}}} if extensions else {}
    meta = {} if legacy else {"_meta": {**_META, **declared}}
    return _line({"jsonrpc": "2.0", "id": number, "method": method, "params": {**params, **meta}})


def invoke(number: int, *, legacy: bool = False, extensions: Sequence[str] = (), **arguments: Any) -> bytes:
    """A call of `invoke_function`."""
    params = {"name": "invoke_function", "arguments": arguments}
    return request(number, "tools/call", params, legacy=legacy, extensions=extensions)


def cancel(number: int, *, legacy: bool = False) -> bytes:
    """The notification that a request's answer is not wanted any more."""
    params: dict[str, Any] = {"requestId": number} if legacy else {"requestId": number, "_meta": _META}
    return _line({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})


def handshake() -> bytes:
    """What opens a session of the era of handshakes. It has the id 0."""
    client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "wire", "version": "0"}}
    opened = _line({"jsonrpc": "2.0", "method": "notifications/initialized"})
    return request(0, "initialize", client, legacy=True) + opened


def answers(output: bytes) -> dict[int, dict[str, Any]]:
    """The answers among the lines that a server wrote, by the id of their request."""
    messages = [json.loads(line) for line in output.splitlines()]
    return {message["id"]: message for message in messages if "method" not in message}


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"
