"""The least that invokes without blocking others: boto3 in a thread behind a bare SDK server. No guard, no record.

What lambda-warden takes beyond it is what the guard, the records and the report cost. With a port as argument it
serves HTTP, else stdio.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio.to_thread
import boto3
from botocore.config import Config
from mcp.server.mcpserver import MCPServer

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:echo"

server: MCPServer[None] = MCPServer("unguarded", log_level="WARNING")
boto = boto3.client("lambda", config=Config(max_pool_connections=64, retries={"total_max_attempts": 1}))


@server.tool()
async def invoke(payload: dict[str, Any]) -> str:
    """Invoke a function."""
    return await anyio.to_thread.run_sync(_invoke, json.dumps(payload).encode())


def _invoke(payload: bytes) -> str:
    answer = boto.invoke(FunctionName=FUNCTION, Qualifier="live", LogType="Tail", Payload=payload)
    return answer["Payload"].read().decode()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run()
