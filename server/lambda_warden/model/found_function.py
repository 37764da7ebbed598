"""What `init` found in an account or a template: functions, and what could not be found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_warden.model.target import Target

Place = tuple[str, str]
"""An account and a region."""


@dataclass(frozen=True, slots=True)
class FoundFunction:
    """A function that a rule can be proposed for.

    `aliases` is None where they could not be read, and so is `policies`, the policy documents of its `role` (an ARN).
    """

    arn: str
    description: str | None = None
    aliases: tuple[str, ...] | None = ()
    role: str | None = None
    policies: tuple[Mapping[str, Any], ...] | None = None

    @property
    def name(self) -> str:
        """Its name alone."""
        return self.arn.rsplit(":", 1)[-1]

    @property
    def place(self) -> Place:
        """Its account and region."""
        _, _, _, region, account, *_ = self.arn.split(":")
        return account, region


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that was found.

    `functions` are those asked for; `every` are the ARNs of all functions of the places in `complete`, which were read
    to their end; `problems` and `skipped` are lines for a person.
    """

    targets: tuple[Target, ...]
    functions: tuple[FoundFunction, ...]
    every: frozenset[str] = frozenset()
    complete: frozenset[Place] = frozenset()
    problems: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
