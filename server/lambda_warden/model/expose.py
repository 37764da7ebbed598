"""The key `expose` of a rule: its function as a tool of its own."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from lambda_warden.model.strict import Strict

TOOL_NAME: Final = r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"
"""What every model's service takes: OpenAI and Anthropic up to 64 of these characters, Gemini no digit in front."""


class ExposeRule(Strict):
    """How a tool of one function is named, and which alias or version it runs."""

    tool: Annotated[str, StringConstraints(pattern=TOOL_NAME)] | None = Field(
        default=None, description="The tool's name; that of the function if not given.", examples=["refund_order"]
    )
    qualifier: str | None = Field(
        default=None, description="Which of the rule's qualifiers it runs, where there are several.", examples=["live"]
    )
