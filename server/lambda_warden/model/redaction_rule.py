"""What a manifest adds to what is redacted."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from lambda_warden.errors import ArgumentError, shown
from lambda_warden.model.strict import Strict

_KIND = re.compile(r"[a-z]+(?:-[a-z]+){0,5}", re.ASCII)
_ALPHABET = re.compile(r"(?:A-Z|a-z|0-9|a-f|A-F|[A-Za-z0-9_.+/=~%]){1,64}-?", re.ASCII)
_LEAST_SECRET, _MOST_SECRET = 8, 4096


def _check_kind(text: str) -> str:
    if not _KIND.fullmatch(text):
        raise ArgumentError("kind", f"{shown(text)} is no kind of secret", "lower-case letters and hyphens: acme-key")
    return text


def _check_alphabet(text: str) -> str:
    if not _ALPHABET.fullmatch(text):
        raise ArgumentError(
            "alphabet",
            f"{shown(text)} is no set of characters",
            "ranges such as A-Za-z0-9 and the characters _ . + / = ~ %, with a - at its end",
        )
    return text


def _check_length(length: int | list[int]) -> int | list[int]:
    least, most = (length, length) if isinstance(length, int) else (length[0], length[-1])
    if not _LEAST_SECRET <= least <= most <= _MOST_SECRET:
        problem = f"{length} is no length of a secret behind its prefix"
        raise ArgumentError("length", problem, f"a number or [least, most], from {_LEAST_SECRET} to {_MOST_SECRET}")
    return length


class DetectorRule(Strict):
    """A kind of secret that begins with a literal."""

    kind: Annotated[str, AfterValidator(_check_kind)] = Field(
        description="What stands in its place: [redacted:KIND].", examples=["acme-key"]
    )
    prefix: Annotated[str, StringConstraints(min_length=2, max_length=64, pattern=r"^[!-~]+$")] = Field(
        description="The literal that it begins with, as it is written.", examples=["acme_"]
    )
    alphabet: Annotated[str, AfterValidator(_check_alphabet)] = Field(
        default="A-Za-z0-9_-", description="The characters behind it, as ranges.", examples=["A-Za-z0-9"]
    )
    length: Annotated[int | Annotated[list[int], Field(min_length=2, max_length=2)], AfterValidator(_check_length)] = (
        Field(description="How many of them: a number, or [least, most].", examples=[32, [20, 64]])
    )
    entropy: Annotated[float, Field(strict=False, ge=0, le=6)] = Field(
        default=2.0,
        description="Bits a character that they have at least (Shannon); from 3 on also digits and letters.",
    )


class RedactionRule(Strict):
    """What is secret here besides what is always redacted."""

    detectors: list[DetectorRule] = Field(default_factory=list, description="Secrets that have a shape of their own.")
    names: list[Annotated[str, StringConstraints(min_length=2, max_length=64, pattern=r"[A-Za-z]")]] = Field(
        default_factory=list,
        description="Names whose values are secrets, alone or as the last words of a name, however they are written.",
        examples=[["customer number"]],
    )
    allow: list[Annotated[str, StringConstraints(min_length=1, max_length=512)]] = Field(
        default_factory=list,
        description="Names and values that are no secrets here, though they look so: exactly as they are written.",
        examples=[["orderToken"]],
    )
