"""The kinds of stores that the contract suite runs on: a new one is a line of `BACKENDS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lambda_warden.store.dynamodb.results import ITEM_BYTES
from lambda_warden.store.objects import OVERHEAD_BYTES
from support.dynamodb import new_bucket, new_table


@dataclass(frozen=True)
class Backend:
    """A kind of store.

    Attributes:
        url: of a new one, by a folder that it may use or the URL of its engine.
        engine: of `support.dynamodb.ENGINES`, if it needs one.
        lasts: whether it is still there when nobody has it open.
        largest: how many bytes a result may have.
        makes_room: whether results leave it before they expire, so that others have room.
    """

    url: Callable[[str], str]
    engine: str | None = None
    lasts: bool = True
    largest: int = 1024**2
    makes_room: bool = True


IN_AN_ITEM = ITEM_BYTES - OVERHEAD_BYTES
BACKENDS = {
    "sqlite-file": Backend(lambda folder: f"sqlite://{folder}/store.sqlite3"),
    "sqlite-memory": Backend(lambda folder: "sqlite::memory:", lasts=False),
}
RESULT_BACKENDS = BACKENDS | {
    "dynamodb-ministack": Backend(new_table, "ministack", largest=IN_AN_ITEM, makes_room=False),
    "dynamodb-local": Backend(new_table, "dynamodb-local", largest=IN_AN_ITEM, makes_room=False),
    "s3": Backend(new_bucket, "ministack", makes_room=False),
}
"""Where results can be kept."""
