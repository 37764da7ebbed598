"""How often a manifest lets something happen, and when failures stop it."""

from __future__ import annotations

from pydantic import Field

from lambda_warden.model.strict import Strict

COOL_DOWN_LIMIT = 86_400
"""Seconds that a function can be stopped for after failures."""


class Limits(Strict):
    """How often something may happen. A call that AWS refused before it ran does not count."""

    per_minute: int | None = Field(default=None, ge=1, description="Calls in any 60 seconds.")
    per_day: int | None = Field(default=None, ge=1, description="Calls in any 24 hours.")
    concurrent: int | None = Field(default=None, ge=1, description="Calls under way at once.")


class StopRule(Strict):
    """When a function that fails again and again is not called any more. A success ends the run of failures."""

    count: int = Field(ge=1, description="Function errors and unknown outcomes in a row after which calls are denied.")
    cool_down_seconds: int = Field(
        default=900,
        ge=1,
        le=COOL_DOWN_LIMIT,
        description="How long after the last of them, unless a person resumes it. Then calls go through again; if the "
        "first one fails, they are denied again.",
    )
