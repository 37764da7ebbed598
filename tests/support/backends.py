"""The kinds of stores that the contract suite runs on: a new one is a line of `BACKENDS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lambda_warden.store.audit_log import AuditLog, AuditReader, Field
from lambda_warden.store.aws_url import read_aws_url
from lambda_warden.store.clock import Clock as AnyClock
from lambda_warden.store.dynamodb.results import ITEM_BYTES
from lambda_warden.store.dynamodb.store import DynamoDbStore
from lambda_warden.store.objects import OVERHEAD_BYTES
from lambda_warden.store.opening import Store, open_store
from lambda_warden.store.seal import Seal
from support.clock import Clock, ServiceTime
from support.dynamodb import ENGINES, new_bucket, new_table


@dataclass(frozen=True)
class Backend:
    """A kind of store.

    Attributes:
        url: of a new one, by a folder that it may use or the URL of its engine.
        engine: of `support.dynamodb.ENGINES`, if it needs one.
        lasts: whether it is still there when nobody has it open.
        largest: how many bytes a result may have.
        makes_room: whether results leave it before they expire, so that others have room.
        late: how much longer than in its window a call may count in it, by the name of the limit.
    """

    url: Callable[[str], str]
    engine: str | None = None
    lasts: bool = True
    largest: int = 1024**2
    makes_room: bool = True
    late: Mapping[str, float] = field(default_factory=lambda: {"per_minute": 0.0, "per_day": 0.0})

    def open(self, place: str) -> Store:
        """A new store: see `url`."""
        url = self.url(place)
        table = url.startswith("dynamodb:")
        return _TestTable(read_aws_url("dynamodb", url.partition(":")[2])) if table else open_store(url)


class _TestTable(DynamoDbStore):
    """A table whose servers go by the test's clock, as if DynamoDB told that time."""

    def audit_log(
        self, *, about: Mapping[str, Field] | None = None, seal: Seal | None = None, clock: AnyClock | None = None
    ) -> AuditLog:
        return super().audit_log(about=about, seal=seal, clock=_service(clock))

    def audit_reader(self, *, clock: AnyClock | None = None) -> AuditReader:
        return super().audit_reader(clock=_service(clock))


def _service(clock: AnyClock | None) -> AnyClock | None:
    return ServiceTime(clock) if isinstance(clock, Clock) else clock


IN_AN_ITEM = ITEM_BYTES - OVERHEAD_BYTES
BACKENDS = {
    "sqlite-file": Backend(lambda folder: f"sqlite://{folder}/store.sqlite3"),
    "sqlite-memory": Backend(lambda folder: "sqlite::memory:", lasts=False),
    **{
        f"dynamodb-{engine.removeprefix('dynamodb-')}": Backend(
            new_table, engine, largest=IN_AN_ITEM, makes_room=False, late={"per_minute": 7.0, "per_day": 3_602.0}
        )
        for engine in ENGINES
    },
}
RESULT_BACKENDS = BACKENDS | {
    "s3": Backend(new_bucket, "ministack", makes_room=False),
}
"""Where results can be kept."""
