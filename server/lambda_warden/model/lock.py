"""The lock file of a manifest: which functions its selectors selected when a person last had that looked up."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lambda_warden.model.rule_arn import AllowedArn
from lambda_warden.model.selector import Selector
from lambda_warden.model.strict import Strict, Unique


class LockedSelection(Strict):
    """What one selector selected."""

    select: Selector = Field(description="The selector, as it was.")
    digest: str = Field(description="Its digest: a selector of the manifest that has another one selects nothing.")
    functions: Annotated[list[AllowedArn], Unique] = Field(description="The ARNs of the functions. They may be called.")


class Lock(Strict):
    """A lock file."""

    version: Literal[1]
    selections: list[LockedSelection]
