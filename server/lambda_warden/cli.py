"""The `lambda-warden` command."""

from __future__ import annotations

import json
import logging
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, get_args

import anyio
import click
import platformdirs
from pydantic import ValidationError

from lambda_warden import __version__
from lambda_warden.commands.lazy_group import LazyGroup
from lambda_warden.errors import ManifestError, SettingsError
from lambda_warden.manifests.load import LoadedManifest, load_manifests
from lambda_warden.manifests.watch import Watcher
from lambda_warden.model.caller import LOCAL
from lambda_warden.settings import (
    APPROVAL_TIMEOUT_SECONDS,
    CONCURRENCY,
    CONNECT_TIMEOUT_SECONDS,
    IDEMPOTENCY_TTL_SECONDS,
    OUTPUT_TOKENS,
    QUEUE,
    READ_TIMEOUT_SECONDS,
    RESULTS_MAX_BYTES,
    RESULTS_TTL_SECONDS,
    SHUTDOWN_GRACE_SECONDS,
    LogLevel,
    Settings,
)

_F = TypeVar("_F", bound=Callable[..., Any])

_PATH = click.Path(path_type=Path, dir_okay=False)
_PATHS = click.Path(path_type=Path)


class _Problems(click.ClickException):
    """Problems for the operator, one line each, on stderr."""

    def show(self, file: Any = None) -> None:
        click.echo(self.message, err=True, file=file)


def _settings_options(command: _F) -> _F:
    """The options of `serve`, each also a LAMBDA_WARDEN_* variable. Named as the AWS CLI names them."""
    options = [
        click.option("--profile", help="Profile of the AWS config files, for targets that name none."),
        click.option("--region", help="Region of names without one, where the manifest has several."),
        click.option("--endpoint-url", help="Another endpoint than AWS's own, for targets that name none."),
        click.option("--ca-bundle", type=_PATH, help="CA certificates to check AWS's with."),
        click.option("--verify-ssl/--no-verify-ssl", default=True, show_default=True, help="Check certificates."),
        click.option(
            "--connect-timeout",
            type=click.FloatRange(min=0, min_open=True),
            default=CONNECT_TIMEOUT_SECONDS,
            show_default=True,
            help="Seconds to wait for a connection.",
        ),
        click.option(
            "--read-timeout",
            type=click.FloatRange(min=0, min_open=True),
            default=READ_TIMEOUT_SECONDS,
            show_default=True,
            help="Seconds to wait for an answer. Keep it above the slowest function's own timeout.",
        ),
        click.option("--sign-request/--no-sign-request", default=True, show_default=True, help="Sign requests."),
        click.option(
            "--concurrency",
            type=click.IntRange(1, 1024),
            default=CONCURRENCY,
            show_default=True,
            help="Invocations under way at once; more wait.",
        ),
        click.option(
            "--queue",
            type=click.IntRange(0),
            default=QUEUE,
            show_default=True,
            help="Calls that may wait for their turn; more are denied at once.",
        ),
        click.option(
            "--output-tokens",
            type=click.IntRange(2_000, 1_000_000),
            default=OUTPUT_TOKENS,
            show_default=True,
            help="What one result may take of a model's context, at three bytes a token.",
        ),
        click.option(
            "--shutdown-grace",
            type=click.FloatRange(0, 960),
            default=SHUTDOWN_GRACE_SECONDS,
            show_default=True,
            help="Seconds that calls under way may still take when the server is stopped.",
        ),
        click.option(
            "--idempotency-ttl",
            type=click.FloatRange(960),
            default=IDEMPOTENCY_TTL_SECONDS,
            show_default=True,
            help="Seconds that an idempotency key is kept.",
        ),
        click.option(
            "--records",
            type=_PATH,
            default=lambda: platformdirs.user_state_path("lambda-warden") / "records.sqlite3",
            show_default="records.sqlite3 in the user's state folder",
            help="SQLite file that every decision and outcome is recorded in.",
        ),
        click.option(
            "--record-payloads/--no-record-payloads",
            default=False,
            show_default=True,
            help="Keep payloads in the records too, redacted and up to 64 KB, and not their digests alone.",
        ),
        click.option(
            "--results",
            type=_PATH,
            show_default="results.sqlite3 beside the records",
            help="SQLite file that results are kept in for a while, redacted, so that they can be read in full.",
        ),
        click.option(
            "--results-ttl",
            type=click.FloatRange(min=0),
            default=RESULTS_TTL_SECONDS,
            show_default=True,
            help="Seconds that a result is kept; 0 keeps none.",
        ),
        click.option(
            "--results-max-bytes",
            type=click.IntRange(min=0),
            default=RESULTS_MAX_BYTES,
            show_default=True,
            help="What all kept results may take together; the oldest make room.",
        ),
        click.option(
            "--results-key-file",
            type=_PATH,
            help="Encrypt kept results (AES-256-GCM) with the key in this file: openssl rand -base64 32 prints one.",
        ),
        click.option(
            "--principal",
            default=LOCAL,
            show_default=True,
            help="Who asks: the name that rules, limits and records go by.",
        ),
        click.option(
            "--approval-timeout",
            type=click.FloatRange(min=0, min_open=True, max=570),
            default=APPROVAL_TIMEOUT_SECONDS,
            show_default=True,
            help="Seconds to wait for a person's answer.",
        ),
        click.option(
            "--log-level",
            type=click.Choice(get_args(LogLevel), case_sensitive=False),
            default="WARNING",
            show_default=True,
            help="What goes to stderr.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group(
    cls=LazyGroup,
    lazy={
        "explain": "lambda_warden.commands.explain:explain",
        "iam-policy": "lambda_warden.commands.iam_policy:iam_policy",
        "records": "lambda_warden.commands.records:records",
        "result": "lambda_warden.commands.result:result",
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__)
def main() -> None:
    """Let an AI assistant invoke AWS Lambda functions, under guard."""


# The prefix stands here and not on the group, where click would put the command's name after it.
@main.command(context_settings={"auto_envvar_prefix": "LAMBDA_WARDEN"})
@click.option(
    "--manifest",
    "manifests",
    type=_PATHS,
    multiple=True,
    envvar="LAMBDA_WARDEN_MANIFEST",
    help="The allowlist: a file, or a folder of them. May be given several times; in the variable, parted by :.",
)
@click.option("--demo", "demo", is_flag=True, help="Serve the embedded demo endpoint and its functions instead.")
@click.option(
    "--transport",
    type=click.Choice(["stdio", "streamable-http"]),
    default="stdio",
    show_default=True,
    help="streamable-http has no authentication: it listens on 127.0.0.1 only, and nothing can be approved over it.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="For streamable-http.")
@_settings_options
def serve(manifests: tuple[Path, ...], demo: bool, transport: str, port: int, **options: Any) -> None:
    """Serve MCP: on stdin and stdout, or over HTTP on this machine.

    Every option is also an environment variable: --endpoint-url is LAMBDA_WARDEN_ENDPOINT_URL.
    AWS credentials and config files are found as boto3 finds them.
    """
    if demo == bool(manifests):
        raise click.UsageError("give either --manifest FILE (LAMBDA_WARDEN_MANIFEST) or --demo")
    if demo:
        from lambda_warden.local.demo import demo_environment

        with _problems_of_the_endpoint(), demo_environment() as environment:
            options |= {"sign_requests": False, "records": environment.folder / "records.sqlite3"}
            _serve([environment.manifest], _settings(options), transport, port)
    else:
        _serve(manifests, _settings(options), transport, port)


@main.command()
@click.argument("manifests", type=_PATHS, nargs=-1, required=True, metavar="MANIFEST…")
def check(manifests: tuple[Path, ...]) -> None:
    """Check MANIFESTs, read as one, and show what they allow."""
    from lambda_warden.local.console import print_manifest

    print_manifest(_load(manifests))


@main.command()
def demo() -> None:
    """Start a Lambda endpoint on this machine, and walk an MCP client through the guard."""
    from lambda_warden.local.demo import run_demo

    with _problems_of_the_endpoint():
        anyio.run(run_demo)


@main.command()
def schema() -> None:
    """Print the JSON Schema of a manifest, for editors."""
    from lambda_warden.manifests.json_schema import manifest_json_schema

    click.echo(json.dumps(manifest_json_schema(), indent=2))


def _load(paths: Sequence[Path]) -> LoadedManifest:
    try:
        return load_manifests(paths)
    except ManifestError as error:
        raise _Problems(str(error)) from None


@contextmanager
def _problems_of_the_endpoint() -> Iterator[None]:
    from lambda_warden.local.endpoint import EndpointError

    try:
        yield
    except EndpointError as error:
        raise _Problems(str(error)) from None


def _settings(options: dict[str, Any]) -> Settings:
    known = {
        **{name: value for name, value in options.items() if name != "sign_request"},
        "sign_requests": options.get("sign_requests", options.get("sign_request", True)),
    }
    try:
        return Settings.model_validate(known)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][0]).replace("_", "-")
        raise click.UsageError(f"{option}: {first['msg']}") from None


def _serve(manifests: Sequence[Path], settings: Settings, transport: str, port: int) -> None:
    loaded = _load(manifests)
    _configure_logging(settings.log_level)
    # Imported here: only `serve` needs boto3 and the MCP SDK's server, which take most of the start-up time.
    from lambda_warden.app import Warden
    from lambda_warden.transport.http import serve_http
    from lambda_warden.transport.stdio import serve_stdio

    try:
        warden = Warden(settings, loaded, authentic=transport == "stdio")
    except SettingsError as error:
        raise _Problems(str(error)) from None
    with _reloading(Watcher(manifests, loaded, warden.apply)):
        if transport == "stdio":
            anyio.run(serve_stdio, warden)
        else:
            anyio.run(serve_http, warden, port)


@contextmanager
def _reloading(watcher: Watcher) -> Iterator[None]:
    """Reload on SIGHUP, unless something else answers it, and on a change of the files."""
    answered = signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL
    if not answered:
        signal.signal(signal.SIGHUP, lambda *_: watcher.reload())
    watcher.start()
    try:
        yield
    finally:
        watcher.stop()
        if not answered:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _configure_logging(level: LogLevel) -> None:
    logging.basicConfig(stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # At DEBUG these write whole requests and answers, with payloads and signatures.
    for name in ("boto3", "botocore", "urllib3", "mcp", "httpx2"):
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLevelName(level)))
