"""The `lambda-warden` command."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import anyio
import click
from starlette.types import ASGIApp

from lambda_warden import __version__
from lambda_warden.app import Warden
from lambda_warden.approvals.server_key import team_origin
from lambda_warden.approvals_page.team import TeamPages
from lambda_warden.commands.groups import LateGroup
from lambda_warden.commands.manifests import NoManifest, load, print_warning, warn_of_manifests_in
from lambda_warden.commands.options import GroupedOptions, UserPath, settings_of, settings_options
from lambda_warden.errors import SettingsError
from lambda_warden.local.demo import demo_environment, run_demo
from lambda_warden.local.endpoint import EndpointError
from lambda_warden.manifests.json_schema import manifest_json_schema
from lambda_warden.manifests.load import LoadedManifest
from lambda_warden.manifests.watch import Watcher
from lambda_warden.report.visible import visible
from lambda_warden.settings import Settings
from lambda_warden.telemetry.logs import configure_logging
from lambda_warden.tools.caller import Identity
from lambda_warden.transport.authentication.approvers import ApproverTokens
from lambda_warden.transport.authentication.verifier import identity_from
from lambda_warden.transport.http import listen, serve_http
from lambda_warden.transport.stdio import serve_stdio

_PATHS = UserPath(path_type=Path)

_COMMANDS = {
    "approvals": "approvals:approvals",
    "check": "check:check",
    "completion": "completion:completion",
    "doctor": "doctor:doctor",
    "explain": "explain:explain",
    "iam-policy": "iam_policy:iam_policy",
    "init": "init:init",
    "install": "install:install",
    "lock": "lock:lock",
    "pause": "pause:pause",
    "records": "records:records",
    "result": "result:result",
    "resume": "pause:resume",
    "store": "store:store",
    "uninstall": "install:uninstall",
}
"""Where they are. A server's start loads none of them."""


class _Commands(LateGroup):
    """The commands. What the encoding of stdout or stderr has no characters for is written as escapes.

    With NO_COLOR, or on a terminal that says it is dumb, nothing is coloured.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run one."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            kwargs.setdefault("color", False)
        return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run one. What an error quotes, of a file or of AWS, shows all that it holds."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.message = visible(error.message)  # type: ignore[misc]  # final, but click has no other place for it
            raise


class _Problems(click.ClickException):
    """Problems for the operator, one line each, on stderr."""

    def show(self, file: Any = None) -> None:
        click.echo(self.message, err=True, file=file)


@click.group(
    cls=_Commands,
    late=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__)
def main() -> None:
    """Let an AI assistant invoke AWS Lambda functions, under guard."""


# The prefix stands here and not on the group, where click would put the command's name after it.
@main.command(cls=GroupedOptions, context_settings={"auto_envvar_prefix": "LAMBDA_WARDEN"})
@click.option(
    "--manifest",
    "manifests",
    type=_PATHS,
    multiple=True,
    envvar="LAMBDA_WARDEN_MANIFEST",
    help="The allowlist: a file, or a folder of them. May be given several times; in the variable, parted by "
    f"{os.pathsep}.",
)
@click.option("--demo", "demo", is_flag=True, help="Serve the embedded demo endpoint and its functions instead.")
@settings_options
def serve(manifests: tuple[Path, ...], demo: bool, **options: Any) -> None:
    """Serve MCP: on stdin and stdout, or over HTTP.

    Every option is also an environment variable: --endpoint-url is LAMBDA_WARDEN_ENDPOINT_URL.
    AWS credentials and config files are found as boto3 finds them.
    """
    if demo == bool(manifests):
        raise click.UsageError(
            "give either --manifest FILE (LAMBDA_WARDEN_MANIFEST) or --demo; `lambda-warden init` makes a manifest"
        )
    if demo:
        with _problems_of_the_endpoint(), demo_environment() as environment:
            options |= {"sign_requests": False, "records": environment.folder / "records.sqlite3"}
            _serve([environment.manifest], settings_of(options))
    else:
        warn_of_manifests_in(Path.cwd(), manifests)
        _serve(manifests, settings_of(options))


@main.command()
@click.option("--step", "wait", is_flag=True, help="Wait for Enter between the steps.")
def demo(wait: bool) -> None:
    """Show the guard at work, on a Lambda endpoint of this machine.

    An MCP client makes calls in five steps, and what it reads of each is printed.
    """
    with _problems_of_the_endpoint():
        anyio.run(partial(run_demo, wait=wait))


@main.command()
@click.argument("model", type=click.Choice(["manifest", "settings"]), default="manifest")
def schema(model: str) -> None:
    """Print the JSON Schema of a manifest, or of the settings."""
    shown = manifest_json_schema() if model == "manifest" else Settings.model_json_schema()
    click.echo(json.dumps(shown, indent=2))


def _load(paths: Sequence[Path]) -> LoadedManifest:
    loaded = load(paths, NoManifest)
    for warning in (*loaded.warnings(), *loaded.lock_problems()):
        print_warning(warning)
    return loaded


@contextmanager
def _problems_of_the_endpoint() -> Iterator[None]:
    try:
        yield
    except EndpointError as error:
        raise _Problems(str(error)) from None


def _serve(manifests: Sequence[Path], settings: Settings) -> None:
    loaded = _load(manifests)
    configure_logging(settings.log_level, settings.log_format)
    try:
        with ExitStack() as stack:
            listener = stack.enter_context(listen(settings)) if settings.http is not None else None
            identity = identity_from(settings) if listener is not None else None
            # Over stdio, and with the token of --http-token-file, it is this machine's user.
            warden = Warden(
                settings, loaded, authentic=identity is None, identity=identity, on_end=_start_telemetry(settings)
            )
            watcher = Watcher(manifests, loaded, warden.apply, warden.reload_failed)
            stack.enter_context(_reloading(watcher, warden) if settings.reload else _hangup_ignored())
            if listener is None:
                anyio.run(serve_stdio, warden)
            else:
                anyio.run(serve_http, warden, settings, listener, _approvals(warden, settings, identity))
    except SettingsError as error:
        raise _Problems(str(error)) from None


def _approvals(warden: Warden, settings: Settings, identity: Identity | None) -> ASGIApp | None:
    """The pages of approvers, where it is known by their tokens who they are, and there is a key."""
    if identity is None or warden.approvals_key is None:
        return None
    caller_of = ApproverTokens(settings, identity.verifier).caller_of
    return TeamPages(warden.approvals, warden.approvals_key, caller_of, team_origin(settings)).app()


@contextmanager
def _hangup_ignored() -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@contextmanager
def _reloading(watcher: Watcher, warden: Warden) -> Iterator[None]:
    """Reload on SIGHUP, unless something else answers it, and on a change of the files, before the next call."""
    warden.look_before_calls(watcher)
    answers = sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    if answers:
        signal.signal(signal.SIGHUP, lambda *_: watcher.reload())
    watcher.start()
    try:
        yield
    finally:
        watcher.stop()
        if answers:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _start_telemetry(settings: Settings) -> Callable[[], object]:
    """Export what the settings say. Gives what ends that."""
    if not settings.otel and settings.metrics_port is None:
        return lambda: None
    try:
        from lambda_warden.telemetry.sdk import start
    except ImportError as error:
        problem = f"--otel and --metrics-port need the extra: pip install 'lambda-warden[otel]' ({error})"
        raise SettingsError(problem) from None
    stop, port = start(otlp=settings.otel, metrics_port=settings.metrics_port)
    if port is not None:
        click.echo(f"serving metrics at http://127.0.0.1:{port}/metrics", err=True)
    return stop
