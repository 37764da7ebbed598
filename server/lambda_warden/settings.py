"""What the operator sets beside the manifest. Each setting is declared here, once.

From the fields of `Settings` follow the options of `lambda-warden serve` and their LAMBDA_WARDEN_* variables
(`commands/options.py`), the table in `docs/settings.md` (`UPDATE_SNAPSHOTS=1 pytest tests/docs` writes it anew) and the
JSON Schema that `lambda-warden schema settings` prints.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field

from lambda_warden.model.caller import LOCAL
from lambda_warden.model.principal import PRINCIPAL
from lambda_warden.model.quotas import FUNCTION_TIMEOUT_LIMIT, MANAGED_TIMEOUT_LIMIT, WAIT_LIMIT
from lambda_warden.model.target import ENDPOINT_URL

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Of signatures (RFC 7518, RFC 8037). Each has a public key: none, and none with a secret that both sides know."""
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
LogFormat = Literal["text", "json"]

ALB_ARN = re.compile(
    r"^arn:(?P<partition>aws|aws-cn|aws-us-gov):elasticloadbalancing:(?P<region>[a-z0-9-]+):[0-9]{12}:"
    r"loadbalancer/app/[A-Za-z0-9-]{1,32}/[0-9a-f]{1,32}$"
)
"""Of an Application Load Balancer."""

TOKEN_BYTES = 3
"""Taken for a token: JSON and logs have three to four, so that this errs on the safe side."""
OUTPUT_TOKENS = 25_000
"""What common hosts pass on of one result."""


@dataclass(frozen=True, slots=True)
class Option:
    """How a setting is shown on the command line, where its field does not say.

    Attributes:
        flag: its option without the dashes; the field's name, if None.
        default: what holds if it is not given, in words; the field's default, if None.
    """

    flag: str | None = None
    default: str | None = None


def state_file(name: str) -> Path:
    """A file in the folder where this user's programs keep their state."""
    return platformdirs.user_state_path("lambda-warden") / name


def payload_key_beside(records: Path | str) -> Path:
    """The file with the key of the payloads' digests, where none is named."""
    return _beside(records, "payloads.key") or state_file("payloads.key")


def _beside(records: Path | str, name: str) -> Path | None:
    """The file of this name beside that of the records; None where they are in no file."""
    if str(records).startswith("sqlite:///"):
        records = Path(str(records).removeprefix("sqlite://"))
    return records.with_name(name) if isinstance(records, Path) else None


class Settings(BaseModel):
    """The settings of one server. The AWS ones mean what the same options of the AWS CLI mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reload: bool = Field(
        default=True,
        description="whether a changed manifest, or SIGHUP, holds for the next call; without, SIGHUP does nothing",
    )
    profile: Annotated[str | None, Option(default="boto3's choice")] = Field(
        default=None, description="profile of the AWS config files, for targets that name none"
    )
    region: Annotated[str | None, Option(default="AWS's configuration")] = Field(
        default=None, description="region of names without one, where the manifest has several; adds none"
    )
    endpoint_url: Annotated[str | None, Option(default="AWS's own")] = Field(
        default=None,
        pattern=ENDPOINT_URL,
        description="another endpoint than AWS's own, for targets that name none",
    )
    ca_bundle: Annotated[Path | None, Option(default="the system's")] = Field(
        default=None, description="CA certificates to check AWS's with"
    )
    verify_ssl: bool = Field(default=True, description="check certificates")
    connect_timeout: float = Field(default=10, gt=0, description="seconds to wait for a connection")
    # Above what a function may run at the most: a shorter wait could not tell slow from lost.
    read_timeout: float = Field(
        default=WAIT_LIMIT,
        gt=0,
        description="seconds to wait for an answer; nothing waits longer, and a function may run for up to "
        f"{FUNCTION_TIMEOUT_LIMIT}, on Managed Instances for up to {MANAGED_TIMEOUT_LIMIT}",
    )
    sign_requests: Annotated[bool, Option(flag="sign-request")] = Field(
        default=True, description="sign requests; emulators need none"
    )
    principal: str = Field(
        default=LOCAL,
        pattern=f"^{PRINCIPAL.pattern}$",
        description="who asks: the name that rules, limits and records go by",
    )
    public_url: Annotated[str | None, Option(default="none")] = Field(
        default=None,
        pattern=r"^https?://[^\s?#]+$",
        description="URL that clients call the server by, with its path, as https://warden.example.com/mcp: the "
        "resource that access tokens are for",
    )
    auth_issuer: Annotated[str | None, Option(default="none")] = Field(
        default=None,
        pattern=r"^https?://[^\s?#]+$",
        description="issuer of the access tokens that every request over HTTP has to have then, exactly as in their "
        "`iss`; `--principal` plays no part then",
    )
    auth_audience: Annotated[tuple[str, ...], Option(default="--public-url")] = Field(
        default=(), description="audience (`aud`) that an access token may be for; may be given several times"
    )
    auth_jwks_url: Annotated[str | None, Option(default="the issuer's metadata says")] = Field(
        default=None, description="URL of the issuer's public keys"
    )
    auth_algorithms: Annotated[
        tuple[Algorithm, ...], Option(flag="auth-algorithm", default="RS256, PS256, ES256, EdDSA")
    ] = Field(
        default=("RS256", "PS256", "ES256", "EdDSA"),
        min_length=1,
        description="algorithm that access tokens may be signed with; may be given several times",
    )
    auth_leeway: float = Field(
        default=30, ge=0, le=300, description="seconds that the issuer's clock may differ from this one's"
    )
    auth_required_scopes: Annotated[tuple[str, ...], Option(flag="auth-required-scope", default="none")] = Field(
        default=(), description="scope that every access token has to have; may be given several times"
    )
    auth_subject_claim: str = Field(
        default="sub", description="claim that names a user, in rules as user:NAME; one that users can't change"
    )
    auth_groups_claim: str = Field(default="groups", description="claim that lists a user's groups")
    auth_tenant_claim: Annotated[str | None, Option(default="none")] = Field(
        default=None, description="claim that names the caller's tenant, for rules with `tenants: caller`"
    )
    http: Annotated[str | None, Option(default="stdin and stdout")] = Field(
        default=None,
        pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$",
        description="HOST:PORT to serve streamable HTTP at, as 127.0.0.1:8000; port 0 is any free one",
    )
    http_token_file: Annotated[Path, Option(default="http-token in the user's state folder")] = Field(
        default_factory=lambda: state_file("http-token"),
        description="file with the token that clients send over HTTP, made if it isn't there",
    )
    http_allowed_hosts: Annotated[tuple[str, ...], Option(flag="http-allowed-host", default="that of --public-url")] = (
        Field(default=(), description="further name that clients call the HTTP server by; may be given several times")
    )
    session_idle: float = Field(
        default=1800, gt=0, description="seconds after which a session of revision 2025-11-25 that nobody uses ends"
    )
    session_limit: int = Field(default=1000, ge=1, description="sessions at once; one more is refused")
    approval_timeout: float = Field(
        default=300, gt=0, le=570, description="seconds to wait for a person's answer, at most 570"
    )
    approval_expires: float = Field(
        default=900,
        ge=10,
        le=86_400,
        description="seconds that a request for approval out of band can be decided on and used",
    )
    approvals_secret_file: Annotated[Path, Option(default="approver.json in the user's configuration folder")] = Field(
        default_factory=lambda: platformdirs.user_config_path("lambda-warden") / "approver.json",
        description="file by which decisions out of band are known to be an approver's: `lambda-warden approvals init` "
        "writes it",
    )
    approvals_url: Annotated[str | None, Option(default="none")] = Field(
        default=None,
        pattern="^https?://",
        description="URL of the page that people decide on in a browser, for clients that can open one; "
        "`lambda-warden approvals serve` serves it there, or, with --approvals-key-file, the HTTP server",
    )
    approvals_key_file: Annotated[Path | None, Option(default="none")] = Field(
        default=None,
        description="file with the key that what approvers decide is signed with, the same for all servers on one "
        "store: openssl rand -base64 32 prints one; with it and --auth-issuer, /approvals is served over HTTP",
    )
    approvals_scope: Annotated[str | None, Option(default="none")] = Field(
        default=None, description="scope that an approver's access token has to have; best one that no MCP client gets"
    )
    approvals_alb: Annotated[str | None, Option(default="none")] = Field(
        default=None,
        pattern=ALB_ARN.pattern.replace("?P<partition>", "").replace("?P<region>", ""),
        description="ARN of the Application Load Balancer that authenticates approvers by the same issuer: its "
        "x-amzn-oidc-data is taken for an access token of /approvals",
    )
    approval_webhook: Annotated[str | None, Option(default="none")] = Field(
        default=None,
        description="URL that each request for approval out of band is posted to, signed as Standard Webhooks says",
    )
    approval_webhook_secret_file: Annotated[Path | None, Option(default="none")] = Field(
        default=None, description="file with the webhook's secret: whsec_ and 24 to 64 bytes in Base64"
    )
    approval_command: Annotated[str | None, Option(default="none")] = Field(
        default=None,
        description="command that is run for each request for approval out of band, with JSON on stdin and no shell",
    )
    state_key_file: Annotated[Path | None, Option(default="each server has a key of its own")] = Field(
        default=None,
        description="file with the key that questions to a person are sealed with, the same for all servers that one "
        "address stands for: openssl rand -base64 32 prints one; of several, a line each, the first seals",
    )
    concurrency: int = Field(
        default=64, ge=1, le=1024, description="invocations under way at once; more wait, and functions take turns"
    )
    queue: int = Field(default=1024, ge=0, description="calls that may wait for their turn; more are denied at once")
    output_tokens: int = Field(
        default=OUTPUT_TOKENS,
        ge=2_000,
        le=1_000_000,
        description=f"what one result may take of a model's context, at {TOKEN_BYTES} bytes a token",
    )
    shutdown_grace: float = Field(
        default=10,
        ge=0,
        le=WAIT_LIMIT,
        description="seconds that calls under way may still take when stdin closes or a signal stops the server; then "
        "they are given up, and that is on record",
    )
    answer_within: float = Field(
        default=45,
        ge=0,
        le=WAIT_LIMIT,
        description="seconds that a call is waited for whose caller does not say how long; then it is answered as "
        "running, and goes on",
    )
    adopt_within: float = Field(
        default=600,
        ge=0,
        description="seconds that an answer which reached nobody is given to the next same call of the same caller",
    )
    idempotency_ttl: float = Field(
        default=86_400,
        # A key must not be free again while its first call can still be under way.
        ge=WAIT_LIMIT,
        description=f"seconds that an idempotency_key belongs to the call that had it first, {WAIT_LIMIT} or more",
    )
    records: Annotated[Path | str, Option(default="records.sqlite3 in the user's state folder")] = Field(
        default_factory=lambda: state_file("records.sqlite3"),
        description="SQLite file that every decision and outcome is recorded in, or for servers that share them "
        "dynamodb://TABLE?region=…",
    )
    record_payloads: bool = Field(
        default=False, description="keep payloads in the records, redacted and up to 64 KB, beside their digests"
    )
    payload_key_file: Annotated[Path | None, Option(default="payloads.key beside the records")] = Field(
        default=None,
        description="file with the key of the payloads' digests in the records, made at the first start: several "
        "machines need one they share; `openssl rand -base64 32` prints one",
    )
    sinks: Annotated[tuple[str, ...], Option(flag="sink", default="none")] = Field(
        default=(),
        description="where records also go: file:///PATH, cloudwatch://GROUP/STREAM?region=… or "
        "s3://BUCKET/PREFIX?retain_days=…; with required=true nothing is done whose record is not there; may be given "
        "several times, in the variable parted by spaces",
    )
    checkpoint_key_file: Annotated[Path | None, Option(default="no checkpoints")] = Field(
        default=None,
        description="file with the key that checkpoints in the sinks are signed with: `lambda-warden records keygen` "
        "makes one",
    )
    checkpoint_every: int = Field(default=1000, ge=1, description="records after which a checkpoint is signed")
    checkpoint_minutes: float = Field(
        default=10, gt=0, description="minutes after which a checkpoint is signed, if there are new records"
    )
    results: Annotated[Path | str | None, Option(default="results.sqlite3 beside the records, or their table")] = Field(
        default=None,
        description="SQLite file that results are kept in for a while, redacted, so that they can be read in full; or "
        "dynamodb://TABLE?region=… (up to 386 KB each), or s3://BUCKET/PREFIX?region=…",
    )
    results_ttl: float = Field(default=86_400, ge=0, description="seconds that a result is kept; 0 keeps none")
    results_max_bytes: int = Field(
        default=1024**3,
        ge=0,
        description="what all kept results may take together; the oldest make room. In AWS, what one may take",
    )
    results_key_file: Annotated[Path | None, Option(default="not encrypted")] = Field(
        default=None,
        description="file with the key that kept results are encrypted with (AES-256-GCM): openssl rand -base64 32 "
        "prints one",
    )
    log_level: LogLevel = Field(default="WARNING", description="what goes to stderr")
    log_format: LogFormat = Field(default="text", description="lines of text, or a JSON object a line with its ids")
    otel: bool = Field(
        default=False,
        description="export traces and metrics by OTLP over HTTP, to where the OTEL_* variables say; needs the extra "
        "`otel`",
    )
    metrics_port: Annotated[int | None, Option(default="none")] = Field(
        default=None,
        ge=0,
        le=65_535,
        description="port of 127.0.0.1 that serves metrics for Prometheus, 0 for any; needs the extra `otel`",
    )

    @property
    def output_bytes(self) -> int:
        """`output_tokens` in bytes."""
        return self.output_tokens * TOKEN_BYTES

    @property
    def names_profile(self) -> bool:
        """Whether a profile of the AWS config files was chosen, here or by AWS's own variables."""
        return any((self.profile, os.environ.get("AWS_PROFILE"), os.environ.get("AWS_DEFAULT_PROFILE")))

    @property
    def payload_key(self) -> Path:
        """The file with the key of the payloads' digests."""
        return self.payload_key_file or payload_key_beside(self.records)

    @property
    def results_store(self) -> Path | str:
        """The file, or the URL of the store, that results are kept in."""
        if self.results is not None:
            return self.results
        return _beside(self.records, "results.sqlite3") or self.records


TOPICS: Final[dict[str, tuple[str, ...]]] = {
    "AWS": (
        "profile",
        "region",
        "endpoint_url",
        "ca_bundle",
        "verify_ssl",
        "connect_timeout",
        "read_timeout",
        "sign_requests",
    ),
    "Who calls": (
        "principal",
        "public_url",
        "auth_issuer",
        "auth_audience",
        "auth_jwks_url",
        "auth_algorithms",
        "auth_leeway",
        "auth_required_scopes",
        "auth_subject_claim",
        "auth_groups_claim",
        "auth_tenant_claim",
    ),
    "HTTP": ("http", "http_token_file", "http_allowed_hosts", "session_idle", "session_limit"),
    "Approvals": (
        "approval_timeout",
        "approval_expires",
        "approvals_secret_file",
        "approvals_url",
        "approvals_key_file",
        "approvals_scope",
        "approvals_alb",
        "approval_webhook",
        "approval_webhook_secret_file",
        "approval_command",
        "state_key_file",
    ),
    "Calls": (
        "reload",
        "concurrency",
        "queue",
        "output_tokens",
        "shutdown_grace",
        "answer_within",
        "adopt_within",
        "idempotency_ttl",
    ),
    "Records": (
        "records",
        "record_payloads",
        "payload_key_file",
        "sinks",
        "checkpoint_key_file",
        "checkpoint_every",
        "checkpoint_minutes",
    ),
    "Results": ("results", "results_ttl", "results_max_bytes", "results_key_file"),
    "What operators see": ("log_level", "log_format", "otel", "metrics_port"),
}
"""The settings by what they are about, as help lists them."""


def identity_provider_configured(settings: Settings) -> bool:
    """Whether an identity provider says who makes each request, by its access token."""
    return settings.auth_issuer is not None
