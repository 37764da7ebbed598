"""Whatever goes wrong in a call, and in whichever thread, its lines in the log carry its id."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambda_warden.invocation import deciding, execution
from lambda_warden.logs import reader
from lambda_warden.store.audit_log import RecordError
from lambda_warden.store.results import ResultError
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from lambda_warden.store.sqlite.results.writing import ResultsFile
from lambda_warden.telemetry.logs import JsonLines
from support.scripted_endpoint import ScriptedEndpoint, returned
from support.warden import allow, warden

pytestmark = pytest.mark.anyio


class _Lines(logging.Handler):
    """What would go to stderr."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(json.loads(JsonLines().format(record)))


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    handler = _Lines()
    logging.getLogger("lambda_warden").addHandler(handler)
    yield handler.told
    logging.getLogger("lambda_warden").removeHandler(handler)


def raising(error: Exception) -> Any:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    ("owner", "name", "error", "arguments", "said"),
    [
        (deciding, "decide", ValueError("a defect"), {}, "deciding failed: ValueError"),
        (SqliteAuditLog, "claimed_by", RecordError("full"), {"idempotency_key": "k"}, "not sent: full"),
        (SqliteAuditLog, "admit", RecordError("full"), {}, "not sent: full"),
        (SqliteAuditLog, "append", RecordError("full"), {"qualifier": "2"}, "is not on record: full"),
        (execution, "redact_outcome", ValueError("a defect"), {}, "reporting failed: ValueError"),
        (SqliteAuditLog, "finish", RecordError("full"), {}, "is not on record: full"),
        (ResultsFile, "add", ResultError("full"), {}, "full"),
        (ResultsFile, "add", ValueError("a defect"), {}, "a result could not be kept: ValueError"),
    ],
)
async def test_lines_of_what_goes_wrong_carry_the_id_of_the_call(
    endpoint: ScriptedEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[dict[str, Any]],
    owner: Any,
    name: str,
    error: Exception,
    arguments: dict[str, Any],
    said: str,
) -> None:
    async with warden(tmp_path, endpoint.url, allow("f", effect="read")) as running:
        monkeypatch.setattr(owner, name, raising(error))
        call = await running.invoke("f", **{"qualifier": "live", **arguments})
    monkeypatch.undo()
    (line,) = lines
    assert said in line["message"]
    assert line["invocation_id"] == call["invocation_id"]


async def test_lines_of_an_unexpected_version_and_of_reads_carry_ids(
    endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[dict[str, Any]]
) -> None:
    endpoint.behaviours["f"] = lambda _: returned({}, version="9")
    async with warden(tmp_path, endpoint.url, allow("f", "7", expect_version=["7"])) as running:
        call = await running.invoke("f:7")
        assert lines[-1]["message"].endswith("version 9 ran, and the rule expects 7")
        monkeypatch.setattr(reader, "decide_logs", raising(ValueError("a defect")))
        await running.read_logs(function="f:7", request_id="9bf8a5c3-2a3e-4c3e-8b0b-2d3c2a1b0f4d")
        recorded = [invocation_id for _, invocation_id, _ in running.records()]
        monkeypatch.setattr(SqliteAuditLog, "append", raising(RecordError("full")))
        await running.call("read_result", invocation_id=call["invocation_id"])
    monkeypatch.undo()
    assert [line["invocation_id"] for line in lines] == [
        call["invocation_id"],
        recorded[-1],
        call["invocation_id"],
    ]
