"""What a process and those that it started have open."""

from __future__ import annotations

import psutil


def listeners(process: psutil.Process) -> set[str]:
    """ADDRESS:PORT of every TCP listener and bound UDP socket of a process and its descendants."""
    return {
        f"{connection.laddr.ip}:{connection.laddr.port}"
        for member in [process, *process.children(recursive=True)]
        for connection in member.net_connections("inet")
        if connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)
    }
