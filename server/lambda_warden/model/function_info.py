"""What AWS tells of functions, as far as a list of them needs it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FunctionInfo:
    """One function's configuration, as far as a model needs it."""

    function_arn: str
    description: str | None
    runtime: str | None
    handler: str | None
    memory_mb: int | None
    timeout_seconds: int | None
    last_modified: str | None


@dataclass(frozen=True, slots=True)
class FunctionList:
    """The functions of one account and region; `problem` says why it is not complete."""

    functions: dict[str, FunctionInfo] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class AliasInfo:
    """Where an alias points: a version, and the shares of calls that go to others."""

    function_version: str
    routing: dict[str, float]


@dataclass(frozen=True, slots=True)
class FunctionDetails:
    """What takes a call of its own to learn. None: AWS did not say, and `problems` says why."""

    state: str | None = None
    aliases: dict[str, AliasInfo] | None = None
    versions: frozenset[str] | None = None
    problems: tuple[str, ...] = ()
