"""`lambda-warden approvals serve`: deciding on calls in a browser."""

from __future__ import annotations

from functools import partial

import click

from lambda_warden.approvals.secret import SecretError, read_approver, unlock
from lambda_warden.approvals_page.serving import serve_page
from lambda_warden.commands.approvals import COMMAND, ApprovalFiles
from lambda_warden.commands.records_file import problems, user_name, writing


@click.command("serve")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 is any that is free.")
@click.pass_obj
def serve_approvals(files: ApprovalFiles, port: int) -> None:
    """Serve a page to decide on in a browser on this machine, until interrupted.

    Each decision asks for the approver's secret there. The link that is printed opens the page once.
    """
    with problems():
        if read_approver(files.secret) is None:
            raise SecretError("no approver's secret is set up: `lambda-warden approvals init` does that")
        with writing(files.records, COMMAND) as store:
            try:
                serve_page(store, partial(unlock, files.secret), by=user_name(), port=port, link_changed=_print_link)
            except OSError as error:
                raise click.ClickException(f"port {port} can't be served: {error.strerror}") from None


def _print_link(link: str) -> None:
    click.echo(f"To decide in a browser, open once: {link}")
