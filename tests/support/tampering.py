"""What somebody can do who may do anything to a file of records."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from lambda_warden.store.hash_chain import GENESIS, body_text, link

_COLUMNS = "writer, seq, at, kind, invocation_id, body, hash"


@contextmanager
def tampering(path: Path) -> Iterator[sqlite3.Connection]:
    """The file in the hands of somebody who may do anything to it, and puts the triggers back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        db.execute("PRAGMA ignore_check_constraints = ON")
        yield db
        for _, sql in triggers:
            db.execute(sql)


def relink(db: sqlite3.Connection) -> None:
    """Compute every hash anew, as the program would."""
    heads: dict[str, str] = {}
    columns = "position, writer, seq, at, kind, invocation_id, body"
    for position, *row in db.execute(f"SELECT {columns} FROM events ORDER BY position").fetchall():  # noqa: S608
        heads[row[0]] = link(heads.get(row[0], GENESIS), *row)
        db.execute("UPDATE events SET hash = ? WHERE position = ?", (heads[row[0]], position))


Change = Callable[[int, dict[str, Any]], dict[str, Any] | None]
"""Given the position and columns of an event, with its body read: what stands there instead, or None for nothing."""


def rewrite(path: Path, change: Change) -> None:
    """Write the file's whole history anew, without a flaw in itself: positions, seqs, hashes, and who follows whom."""
    with tampering(path) as db:
        db.row_factory = sqlite3.Row
        rows = [dict(row) for row in db.execute(f"SELECT {_COLUMNS} FROM events ORDER BY position")]  # noqa: S608
        db.execute("DELETE FROM events")
        ends: dict[str, tuple[int, str]] = {}
        renamed: dict[str, str] = {}
        position = 0
        for number, row in enumerate(rows, 1):
            changed = change(number, row | {"body": json.loads(row["body"])})
            if changed is None:
                continue
            position += 1
            body = changed["body"]
            if follows := str(body.get("follows") or "").split():
                body["follows"] = " ".join(renamed[each] for each in follows if each in renamed) or None
            seq, head = ends.get(row["writer"], (0, GENESIS))
            event = (row["writer"], seq + 1, changed["at"], row["kind"], changed["invocation_id"], body_text(body))
            renamed[row["hash"]] = new = link(head, *event)
            ends[row["writer"]] = seq + 1, new
            db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (position, *event, new))
        db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'events'", (position,))
