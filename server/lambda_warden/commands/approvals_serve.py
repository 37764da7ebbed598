"""`lambda-warden approvals serve`: deciding on calls in a browser."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import click

from lambda_warden.approvals.secret import NOT_SET, SecretError, read_approver, unlock
from lambda_warden.approvals_page.serving import serve_page
from lambda_warden.commands.approvals import COMMAND, ApprovalFiles
from lambda_warden.commands.options import setting_option
from lambda_warden.commands.records_file import problems, user_name, writing

_HTTP: Final = 80
_PATH_CHARACTERS: Final = 16
"""A cookie goes to every port of a host, but to no other path than its own: so nobody else may know the path."""


@click.command("serve")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Without a URL; 0 is any that is free."
)
@setting_option("approvals_url", show_envvar=True)
@click.pass_obj
def serve_approvals(files: ApprovalFiles, port: int, approvals_url: str | None) -> None:
    """Serve a page for deciding in a browser, until interrupted.

    It is served on this machine alone. Each decision asks for the approver's secret there. The link that is printed
    opens the page once.
    """
    with problems():
        if read_approver(files.secret) is None:
            raise SecretError(NOT_SET)
        port, base = _place(approvals_url) if approvals_url else (port, None)
        with writing(files.records, COMMAND) as store:
            try:
                serve_page(
                    store,
                    partial(unlock, files.secret),
                    by=user_name(),
                    port=port,
                    base=base,
                    link_changed=_print_link,
                )
            except OSError as error:
                raise click.ClickException(f"port {port} can't be served: {error.strerror}") from None


def _place(url: str) -> tuple[int, str]:
    """The port and the path of a URL of this machine.

    Raises:
        click.ClickException: if it is none, or its path could be guessed.
    """
    parts = urlsplit(url)
    base = parts.path.rstrip("/")
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost") or len(base) <= _PATH_CHARACTERS:
        example = f"http://127.0.0.1:8766/{secrets.token_urlsafe(16)}"
        raise click.ClickException(
            f"--approvals-url {url} can't be served: expected a URL of this machine, with a path that nobody guesses, "
            f"such as {example}"
        )
    return parts.port or _HTTP, base


def _print_link(link: str) -> None:
    click.echo(f"To decide in a browser, open once: {link}")
