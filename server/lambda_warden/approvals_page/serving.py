"""Serving the page on this machine, until it is interrupted."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from lambda_warden.approvals.secret import ApproverKey
from lambda_warden.approvals_page.app import ApprovalPages
from lambda_warden.approvals_page.sessions import Sessions
from lambda_warden.store.approvals import ApprovalStore

HOST: Final = "127.0.0.1"
"""Nobody is told from anybody else but by the link, so it is for this machine alone."""


def serve_page(
    store: ApprovalStore,
    unlock: Callable[[str], ApproverKey],
    *,
    by: str,
    port: int,
    base: str | None,
    link_changed: Callable[[str], None],
) -> None:
    """Serve the page on 127.0.0.1 until SIGINT or SIGTERM.

    Args:
        store: where requests are kept and decided on.
        unlock: makes the key that decides of the approver's secret. Raises `SecretError`.
        by: who decides, for the records.
        port: 0 for any that is free.
        base: the path that the page lies below; a new one that nobody can guess, if None.
        link_changed: told the link that opens the page, and another each time that it was used.

    Raises:
        OSError: if the port is taken.
    """
    with socket.create_server((HOST, port)) as listener:
        port = listener.getsockname()[1]
        base = base or f"/{secrets.token_urlsafe(16)}"
        sessions = Sessions(lambda token: link_changed(f"http://{HOST}:{port}{base}/login?token={token}"))
        app = ApprovalPages(store, unlock, by, sessions, base).app({f"{HOST}:{port}", f"localhost:{port}"})
        with suppress(KeyboardInterrupt):  # which uvicorn raises again once it has ended
            page_server(app).run(sockets=[listener])


def page_server(app: ASGIApp) -> uvicorn.Server:
    """Serves the pages. Requests are not logged: links stand in them."""
    config = uvicorn.Config(
        app,
        http="h11",  # whichever parsers are installed: they differ in what they let through
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )
    return uvicorn.Server(config)
