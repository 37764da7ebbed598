"""By which tool a call comes in: what is on record of it, and what the tool says itself of the call."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lambda_warden.guard.arguments import unknown_argument


@dataclass(frozen=True, slots=True)
class Front:
    """A tool that makes calls.

    Attributes:
        tool: its name.
        fixed: the arguments of invoke_function that it sets.
        takes: those that it takes besides; None if it takes all.
    """

    tool: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    takes: Collection[str] | None = None

    def whole(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments of invoke_function for what this tool is given.

        Raises:
            ArgumentError: for an argument that it does not take, also for one that it sets.
        """
        for name in given:
            if self.takes is not None and name not in self.takes:
                raise unknown_argument(name, self.takes)
        return {**given, **self.fixed}


INVOKE_FUNCTION: Final = Front("invoke_function")
DRY_RUN: Final = Front("dry_run")
