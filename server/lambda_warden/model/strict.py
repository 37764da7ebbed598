"""What the parts of a manifest have in common."""

from __future__ import annotations

from pydantic import AfterValidator, BaseModel, ConfigDict

TAG = "kind:"
"""Begins what pydantic puts into the place of a problem to say which of several kinds of value it took it for."""


class Strict(BaseModel):
    """A part of a manifest: nothing in it is unknown, converted or changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _check_unique(values: list[str]) -> list[str]:
    if repeated := sorted({v for v in values if values.count(v) > 1}):
        raise ValueError(f"{', '.join(repeated)} listed twice")
    return values


Unique = AfterValidator(_check_unique)
"""Of a list in which nothing stands twice."""
