"""What was found of one thing, and what to do next where it is not as it should be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from lambda_warden.model.outcome import Refused
from lambda_warden.redaction.text import redact_text
from lambda_warden.report.visible import inline

State = Literal["ok", "warning", "problem"]
_TOLD = 300
_TO_MODELS = "Tell the operator: "


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        state: `problem` where calls fail, `warning` where something is missing or not known.
        check: what was looked at.
        subject: of what: a file, an account and region, a function.
        detail: what was found.
        next_step: the one next thing to do; None where all is well.
        source: FILE:LINE of the rule that it is about, or of the first one that needs it; None where none does.
    """

    state: State
    check: str
    subject: str
    detail: str
    next_step: str | None = None
    source: str | None = None

    def fields(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def told(refusal: Refused) -> str:
    """What AWS or this machine said, redacted, in a line."""
    return inline(redact_text(f"{refusal.code}: {refusal.message}").text)[:_TOLD]


def step_of(refusal: Refused, otherwise: str) -> str:
    """What helps after a refusal: what is known of it, or else what the check knows."""
    return refusal.advice.removeprefix(_TO_MODELS) if refusal.advice else otherwise
