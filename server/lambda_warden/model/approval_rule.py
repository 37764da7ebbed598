"""How a rule has a person asked."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from lambda_warden.model.principal import Approver
from lambda_warden.model.strict import Strict, Unique

DURATION = r"^([0-9]{1,6})([smh])$"


def _seconds(value: object) -> object:
    if isinstance(value, str):
        if (said := re.fullmatch(DURATION, value)) is None:
            raise ValueError("is no duration. Expected seconds, or as 90s, 15m or 2h")
        return int(said[1]) * {"s": 1, "m": 60, "h": 3600}[said[2]]
    return value


class ApprovalRule(Strict):
    """How a person is asked before each call."""

    by: Literal["client", "operator"] | None = Field(
        default=None,
        description="client: through the MCP client alone. operator: out of band alone, by the approvers, or, if there "
        "are none, by whoever knows the approver's secret. If not given, out of band if there are approvers; else "
        "through the client where it can ask, out of band where it can't.",
    )
    expires: Annotated[
        int | None, BeforeValidator(_seconds), WithJsonSchema({"type": ["integer", "string"], "pattern": DURATION})
    ] = Field(
        default=None,
        ge=10,
        le=86_400,
        description="How long a request out of band can be decided on and used: seconds, or as 90s, 15m or 2h; "
        "--approval-expires if not given.",
        examples=["15m"],
    )
    approvers: Annotated[list[Approver], Unique] = Field(
        default=[],
        min_length=1,
        description="Who may decide, by their own access token: group:NAME or user:SUBJECT. An agent never may. The "
        "approver's secret does not count then.",
        examples=[["group:sre", "user:ann@example.com"]],
    )
    count: int = Field(
        default=1, ge=1, le=20, description="How many different approvers have to approve. One denial denies."
    )
    not_requester: bool = Field(
        default=False,
        description="Whether the person who asks, also through an agent, may not be among those who approve.",
    )

    @property
    def way(self) -> Literal["client", "operator"] | None:
        """How a person has to be asked; None if either way will do."""
        return "operator" if self.approvers else self.by

    @model_validator(mode="after")
    def _check_fit(self) -> ApprovalRule:
        out_of_band = self.model_fields_set & {"expires", "approvers"}
        if self.by == "client" and out_of_band:
            raise ValueError(f"{min(out_of_band)} is for requests out of band. Expected it without `by: client`")
        if not self.approvers and (alone := self.model_fields_set & {"count", "not_requester"}):
            raise ValueError(f"{min(alone)} is for approvers. Expected `approvers` beside it")
        people = len([each for each in self.approvers if each.startswith("user:")])
        if self.approvers and people == len(self.approvers) < self.count:
            raise ValueError(f"count: {self.count} can't be reached by {people} approvers. Expected more of them")
        return self
