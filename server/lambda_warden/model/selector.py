"""What a rule selects functions by. A selector allows nothing: what the lock file says that it selected does."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from lambda_warden.errors import ArgumentError, shown
from lambda_warden.model.function_ref import NAME_LIMIT, is_name
from lambda_warden.model.rule_arn import RuleArn
from lambda_warden.model.strict import Strict, Unique
from lambda_warden.model.target import Account, Region


def _check_name(text: str) -> str:
    if not is_name(text):
        raise ArgumentError("name", f"{shown(text)} is no function name", f"1 to {NAME_LIMIT} letters, digits and _ -")
    return text


Name = Annotated[str, AfterValidator(_check_name)]
"""A function's name, or what one begins with."""


class Selector(Strict):
    """Selects functions of accounts and regions by prefix or names, by tags, or by both.

    What it selects is written to the lock file by `lambda-warden lock`; what does not stand there can't be called.
    """

    accounts: Annotated[list[Account], Unique] = Field(
        min_length=1, description="The accounts, each exactly, in quotes. Each has to be a target."
    )
    regions: Annotated[list[Region], Unique] = Field(
        min_length=1, description="The regions of these accounts. Each has to be in each account's target."
    )
    prefix: Name | None = Field(default=None, description="What the functions' names begin with.", examples=["orders-"])
    names: Annotated[list[Name], Unique] | None = Field(
        default=None, min_length=1, description="The functions' names, each exactly."
    )
    tags: dict[Annotated[str, StringConstraints(min_length=1, max_length=128)], str] | None = Field(
        default=None,
        min_length=1,
        description="Tags that the functions have, all of them, with these values. Beside prefix or names, both count.",
        examples=[{"team": "orders"}],
    )

    @model_validator(mode="after")
    def _check_criteria(self) -> Selector:
        if self.prefix is None and self.names is None and self.tags is None:
            raise ValueError("would select every function. Expected prefix, names or tags")
        if self.prefix is not None and self.names is not None:
            raise ValueError("has prefix and names. Expected one of them: write a rule for each")
        return self

    @property
    def places(self) -> list[tuple[str, str]]:
        """The accounts and regions: each account with each region."""
        return [(account, region) for account in self.accounts for region in self.regions]

    @property
    def digest(self) -> str:
        """SHA-256 of what it says, in whichever order."""
        said = self.model_dump(exclude_none=True)
        ordered = {key: sorted(value) if isinstance(value, list) else value for key, value in said.items()}
        return hashlib.sha256(json.dumps(ordered, sort_keys=True).encode()).hexdigest()

    def may_select(self, arn: RuleArn) -> bool:
        """Whether it can have selected a function, as far as its ARN tells: which tags it had does not stand there."""
        return (
            not arn.is_pattern
            and (arn.account, arn.region) in self.places
            and (self.prefix is None or arn.name.startswith(self.prefix))
            and (self.names is None or arn.name in self.names)
        )
