"""What the operator sets beside the manifest: by flags and LAMBDA_WARDEN_* variables (see `cli.py`)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lambda_warden.model.caller import LOCAL
from lambda_warden.model.manifest import PRINCIPAL

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

READ_TIMEOUT_SECONDS = 960.0
"""Above the 900 s that a function may run at the most: a shorter wait could not tell slow from lost."""
CONNECT_TIMEOUT_SECONDS = 10.0
CONCURRENCY = 64
QUEUE = 1024
OUTPUT_TOKENS = 25_000
"""What common hosts pass on of one result."""
TOKEN_BYTES = 3
"""Taken for a token: JSON and logs have three to four, so that this errs on the safe side."""
SHUTDOWN_GRACE_SECONDS = 10.0
IDEMPOTENCY_TTL_SECONDS = 86_400.0
APPROVAL_TIMEOUT_SECONDS = 300.0
RESULTS_TTL_SECONDS = 86_400.0
RESULTS_MAX_BYTES = 1024**3


class Settings(BaseModel):
    """The settings of one server. The AWS ones mean what the same options of the AWS CLI mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    records: Path = Field(description="The SQLite file that every decision and outcome is recorded in.")
    record_payloads: bool = Field(default=False, description="Whether payloads are kept in the records, redacted.")
    results: Path | None = Field(
        default=None, description="The SQLite file that results are kept in; beside the records, if not given."
    )
    results_ttl: float = Field(default=RESULTS_TTL_SECONDS, ge=0, description="Seconds; 0 keeps none.")
    results_max_bytes: int = Field(default=RESULTS_MAX_BYTES, ge=0, description="Of all kept results together.")
    results_key_file: Path | None = Field(default=None, description="Holds the key that kept results are sealed with.")
    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    ca_bundle: Path | None = None
    verify_ssl: bool = True
    sign_requests: bool = True
    connect_timeout: float = Field(default=CONNECT_TIMEOUT_SECONDS, gt=0, description="Seconds.")
    read_timeout: float = Field(default=READ_TIMEOUT_SECONDS, gt=0, description="Seconds.")
    concurrency: int = Field(default=CONCURRENCY, ge=1, le=1024, description="Invocations at once.")
    queue: int = Field(default=QUEUE, ge=0, description="Calls that may wait for a slot; more are denied at once.")
    shutdown_grace: float = Field(
        default=SHUTDOWN_GRACE_SECONDS, ge=0, le=960, description="Seconds that calls under way may still take."
    )
    idempotency_ttl: float = Field(
        default=IDEMPOTENCY_TTL_SECONDS, ge=960, description="Seconds that an idempotency key is kept."
    )
    principal: str = Field(
        default=LOCAL, pattern=f"^{PRINCIPAL.pattern}$", description="Who asks, for all calls of this server."
    )
    approval_timeout: float = Field(
        default=APPROVAL_TIMEOUT_SECONDS, gt=0, le=570, description="Seconds to wait for a person's answer."
    )
    output_tokens: int = Field(
        default=OUTPUT_TOKENS, ge=2_000, le=1_000_000, description="What one result may take of a model's context."
    )
    log_level: LogLevel = "WARNING"

    @property
    def output_bytes(self) -> int:
        """`output_tokens` in bytes."""
        return self.output_tokens * TOKEN_BYTES

    @property
    def names_profile(self) -> bool:
        """Whether a profile of the AWS config files was chosen, here or by AWS's own variables."""
        return any((self.profile, os.environ.get("AWS_PROFILE"), os.environ.get("AWS_DEFAULT_PROFILE")))

    @property
    def results_file(self) -> Path:
        """The file that results are kept in."""
        return self.results or self.records.with_name("results.sqlite3")
