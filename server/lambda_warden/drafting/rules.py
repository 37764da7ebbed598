"""The text of what is proposed: a rule, commented out or not, a target, and a manifest of them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

import yaml

from lambda_warden.drafting.effect import guess_effect
from lambda_warden.model.found_function import FoundFunction
from lambda_warden.model.target import Target
from lambda_warden.redaction.hidden import without_hidden
from lambda_warden.redaction.text import redact_text

_DESCRIPTION: Final = 300
"""Characters of a description that are taken over."""
_PREFERRED: Final = ("live", "prod", "production", "stable", "current")
"""Aliases that usually lead to what is in use, the best first."""

_HEAD = """\
# Proposed by lambda-warden init: read it, then run lambda-warden check on it. Only what stands in `functions` may be
# invoked; a rule that is commented out (#) allows nothing. What is marked as a guess was not looked up anywhere.
version: 1
targets:
"""


def proposed_qualifier(function: FoundFunction) -> str | None:
    """The alias to propose; $LATEST where there is none, and None where that is not known.

    >>> proposed_qualifier(FoundFunction("arn:aws:lambda:us-east-1:123456789012:function:f", aliases=("beta", "live")))
    'live'
    """
    if function.aliases is None:
        return None
    best = [alias for alias in _PREFERRED if alias in function.aliases]
    return [*best, *function.aliases, "$LATEST"][0]


def rule_lines(
    function: FoundFunction, *, allowed: bool, schema: str | None = None, profile: str | None = None
) -> list[str]:
    """The lines of a rule for a function, which begins with its dash.

    Args:
        function: what it is for.
        allowed: whether a person chose it. If not, or where its aliases are not known, all is commented out.
        schema: the path of its payload's schema, relative to the manifest.
        profile: for the commands in comments.
    """
    qualifier = proposed_qualifier(function)
    guess = guess_effect(function)
    lines = [f"- arn: {function.arn}"]
    if qualifier is None:
        lines += ["  qualifiers: []  # its aliases could not be read: write those that may be called"]
    elif qualifier == "$LATEST":
        lines += ["  qualifiers: [$LATEST]"]
    else:
        others = ", ".join(each for each in function.aliases or () if each != qualifier)
        lines += [f"  qualifiers: [{_quoted(qualifier)}]" + (f"  # further aliases: {others}" if others else "")]
    lines += [f"  effect: {guess.effect}  # {guess.comment}"]
    if function.description and (text := _description(function.description)):
        lines += [f"  description: {text}"]
    if schema is not None:
        lines += [f"  payload: {{schema: {_quoted(schema)}}}  # see that it allows what may be sent, and no more"]
    if not allowed or qualifier is None:
        lines = [f"# {line}" for line in lines]
    return [*(_about_latest(function, profile) if qualifier == "$LATEST" else []), *lines]


def target_line(target: Target) -> str:
    """The line of a target.

    >>> target_line(Target(account="123456789012", regions=["us-east-1"], profile="ops"))
    '- {account: "123456789012", regions: [us-east-1], profile: "ops"}'
    """
    keys = [f'account: "{target.account}"', f"regions: [{', '.join(target.regions)}]"]
    keys += [
        f"{key}: {_quoted(value)}"
        for key in ("profile", "role_arn", "endpoint_url")
        if (value := getattr(target, key)) is not None
    ]
    return f"- {{{', '.join(keys)}}}"


def manifest_text(targets: Sequence[Target], rules: Sequence[str]) -> str:
    """A new manifest of targets and the lines of rules."""
    lines = [*(f"  {target_line(target)}" for target in targets), "functions:"]
    lines += [f"  {line}" if line else "" for line in rules]
    return _HEAD + "".join(f"{line}\n" for line in lines)


def _about_latest(function: FoundFunction, profile: str | None) -> list[str]:
    at = f"--function-name {function.name} --region {function.place[1]}"
    at += f" --profile {shlex.quote(profile)}" if profile is not None and profile.isprintable() else ""
    return [
        f"# {function.name} has no alias. $LATEST is whatever was deployed last, also what nobody has tried. Better",
        "# publish a version, let an alias lead to it, and allow that one, qualifiers: [live]:",
        f"#   aws lambda publish-version {at}",
        f"#   aws lambda create-alias {at} --name live --function-version VERSION",
    ]


def _description(text: str) -> str | None:
    """A description as one line of YAML: cut, and without secrets and characters that its reader would not see."""
    plain = " ".join(redact_text(without_hidden(text)).text.split())
    cut = plain if len(plain) <= _DESCRIPTION else plain[: _DESCRIPTION - 1] + "…"
    return _quoted(cut) if cut else None


def _quoted(text: str) -> str:
    """A text as YAML in double quotes, on one line."""
    dumped: str = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=float("inf"))
    return dumped.rstrip("\n")
