"""An approver, and what they decide."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from lambda_warden.approvals.secret import ApproverKey, set_secret, unlock
from lambda_warden.store.approvals import ApprovalVerdict, PendingApproval
from lambda_warden.store.opening import open_store

SECRET = "correct horse battery staple"
_FILES = TemporaryDirectory()


@cache
def approver(name: str = "the approver") -> tuple[Path, ApproverKey]:
    """The file and the key of one, which take a while to make."""
    path = Path(_FILES.name) / name / "approver.json"
    set_secret(path, SECRET)
    return path, unlock(path, SECRET)


def found(records: Path | str, approval_id: str) -> PendingApproval:
    """A request as it is now."""
    with closing(open_store(records).audit_reader()) as reader:
        pending = reader.find_approval(approval_id)
    assert pending is not None
    return pending


def decide(
    records: Path | str,
    approval_id: str,
    verdict: ApprovalVerdict = "approved",
    note: str | None = None,
    *,
    key: ApproverKey | None = None,
) -> bool:
    """Have the approver decide."""
    key = key or approver()[1]
    pending = found(records, approval_id)
    with closing(open_store(records).audit_log()) as store:
        return key.decide(store, pending, verdict, by="ada", how="terminal", note=note)


def tamper(records: Path, statement: str, *values: object) -> None:
    """What a process of the same user can do to the file."""
    with closing(sqlite3.connect(records)) as db, db:
        assert db.execute(f"UPDATE approval_requests SET {statement}", values).rowcount == 1  # noqa: S608


def stored(records: Path, column: str) -> dict[str, object]:
    """A column of the only request, read."""
    with closing(sqlite3.connect(records)) as db:
        ((text,),) = db.execute(f"SELECT {column} FROM approval_requests").fetchall()  # noqa: S608
    value: dict[str, object] = json.loads(text)
    return value
