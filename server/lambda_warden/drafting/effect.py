"""Guesses what a function does, from its name and its role's policies, for a person to review."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lambda_warden.model.found_function import FoundFunction
from lambda_warden.model.function_rule import Effect

_DESTRUCTIVE = {
    "cancel", "charge", "clear", "delete", "destroy", "drop", "erase", "kill", "purge", "refund", "remove", "reset",
    "revoke", "terminate", "truncate", "wipe",
}  # fmt: skip
_WRITE = {
    "add", "apply", "approve", "change", "create", "deploy", "enqueue", "import", "insert", "invoke", "load", "make",
    "migrate", "notify", "pay", "post", "process", "publish", "put", "register", "replace", "restart", "rotate", "run",
    "save", "send", "set", "start", "stop", "store", "submit", "sync", "trigger", "update", "upload", "upsert", "write",
}  # fmt: skip
_READ = {"count", "describe", "fetch", "find", "get", "list", "lookup", "query", "read", "report", "search", "show"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

_READS = re.compile(r"[a-z0-9-]+:(?:BatchGet|Describe|Get|Head|List|Query|Scan|Select)[A-Za-z]*\*?", re.IGNORECASE)
_USUAL = re.compile(
    r"logs:(?:CreateLogGroup|CreateLogStream|PutLogEvents)|xray:Put[A-Za-z]+"
    r"|ec2:(?:Create|Delete|Assign|Unassign)(?:NetworkInterface|PrivateIpAddresses)",
    re.IGNORECASE,
)
"""What nearly every role may do, so that its function can run and log."""


@dataclass(frozen=True, slots=True)
class EffectGuess:
    """What to write, and in a comment what is guessed and why."""

    effect: Effect
    comment: str


def guess_effect(function: FoundFunction) -> EffectGuess:
    """Guess a function's effect. It is never `read`: that would let a call be repeated, so a person has to say it.

    >>> guess_effect(FoundFunction("arn:aws:lambda:us-east-1:123456789012:function:orders-get"))
    EffectGuess(effect='write', comment='a guess; read, if it changes nothing: "get" is in its name')
    >>> guess_effect(FoundFunction("arn:aws:lambda:us-east-1:123456789012:function:purgeCache")).effect
    'destructive'
    """
    words = [word.lower() for word in _WORD.findall(function.name)]
    if destroys := next((word for word in words if word in _DESTRUCTIVE), None):
        return EffectGuess("destructive", f'a guess: "{destroys}" is in its name')
    if writes := next((word for word in words if word in _WRITE), None):
        return EffectGuess("write", f'a guess: "{writes}" is in its name')
    reads = next((word for word in words if word in _READ), None)
    actions = None if function.policies is None else list(_actions(function.policies))
    changing = next((action for action in actions or () if not _READS.fullmatch(action)), None)
    by = [f'"{reads}" is in its name'] if reads else []
    if changing is not None:
        but = f", though {by[0]}" if by else ""
        return EffectGuess("write", f"a guess: its role may {_shown(changing)}{but}")
    if actions:
        by.append("its role may only read")
    if by:
        return EffectGuess("write", f"a guess; read, if it changes nothing: {' and '.join(by)}")
    return EffectGuess("write", "not known: read if it changes nothing, destructive if it can't be undone")


def _actions(policies: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The actions that policies allow, but for the usual ones. `NotAction` allows what it does not name: `*`."""
    for policy in policies:
        for statement in _listed(policy.get("Statement", [])):
            if not isinstance(statement, Mapping):
                yield "*"
            elif statement.get("Effect") != "Deny":
                yield from (str(each) for each in _listed(statement.get("Action", "*")) if not _usual(str(each)))


def _usual(action: str) -> bool:
    return _USUAL.fullmatch(action) is not None


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _shown(action: str) -> str:
    return action if re.fullmatch(r"[\w:*?-]{1,100}", action, re.ASCII) else "do something that could not be read"
