"""What the guard decided, and why."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

CheckName = Literal[
    "arguments",
    "resolve",
    "manifest_rule",
    "qualifier",
    "principal",
    "invocation_type",
    "tenant",
    "payload_size",
    "payload_schema",
    "manifest_changed",
    "alias",
    "approval",
    "paused",
    "stop_after_failures",
    "limits",
    "idempotency",
    "after_unknown",
    "busy",
    "logs",
    "log_group",
    "durable_execution",
    "record",
    "internal",
    "aws_dry_run",
]


class Check(BaseModel):
    """One question the guard asked of a request, and its answer."""

    model_config = ConfigDict(frozen=True)

    name: CheckName
    passed: bool | None = Field(description="null: not reached, because an earlier check failed.")
    reason: str


class Decision(BaseModel):
    """Whether a request may be sent to AWS: only if every check that was made passed."""

    model_config = ConfigDict(frozen=True)

    allowed: bool
    checks: tuple[Check, ...]
    rule: str | None = Field(default=None, description="The `arn` of the manifest's rule that decided.")
    rule_source: str | None = Field(default=None, description="FILE:LINE of that rule, for the operator.")
    broken_keyword: str | None = Field(
        default=None, description="What of the payload's schema is not kept: for the records, which quote no payload."
    )

    def with_check(self, check: Check) -> Decision:
        """This decision after one more check, which may end it."""
        allowed = self.allowed and check.passed is True
        return self.model_copy(update={"allowed": allowed, "checks": (*self.checks, check)})

    @property
    def failed(self) -> Check | None:
        """The first check that failed, or None."""
        return next((check for check in self.checks if check.passed is False), None)
