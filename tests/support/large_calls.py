"""Calls at once, in a process of their own: prints how large that grew, in bytes.

python -m support.large_calls URL FOLDER CALLS
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from uuid import uuid4

from lambda_warden.aws.invocation_handle import InvocationHandle
from lambda_warden.guard.decide import decide
from lambda_warden.invocation.delivery import Delivery
from lambda_warden.invocation.execution import Execution
from lambda_warden.invocation.stages import AllowedCall, CompletedCall
from lambda_warden.model.target import Target
from lambda_warden.policy import Policy
from lambda_warden.report.invocation import CallInfo
from lambda_warden.results.kept import KeptResults
from lambda_warden.settings import Settings
from lambda_warden.store.audit_log import AuditLog
from lambda_warden.store.sqlite.audit_log import SqliteAuditLog
from lambda_warden.store.sqlite.results.keeper import SqliteResultStore
from support.builders import ACCOUNT, NAME, REGION, ref, request, rule, rules


def execution(records: AuditLog, url: str, results: KeptResults | None = None) -> Callable[[str], CompletedCall]:
    """What carries out calls of a function at a URL that nothing speaks against."""

    def carry_out(name: str) -> CompletedCall:
        function = ref(name)
        known = rules(rule(name), targets=[Target(account=ACCOUNT, regions=[REGION], endpoint_url=url)])
        decided = decide(function, request(), known)
        assert decided.rule is not None
        policy = Policy(Settings(records=Path("unused"), sign_requests=False), known)
        info = CallInfo(uuid4().hex, function, "RequestResponse")
        made = Execution(
            lambda: policy, records, results, record_payloads=False, read_timeout=960.0, output_bytes=75_000
        )
        call = AllowedCall(info, decided.decision, function, request(b"{}"), decided.rule, policy)
        ending = made.carry_out("invoke_function", call, InvocationHandle(), Delivery())
        assert isinstance(ending, CompletedCall)
        return ending

    return carry_out


def main(url: str, folder: Path, calls: int) -> None:
    with (
        closing(SqliteAuditLog(folder / "records.sqlite3")) as records,
        closing(SqliteResultStore(folder / "results.sqlite3", ttl_seconds=3600, max_bytes=1 << 30)) as store,
        ThreadPoolExecutor(calls) as pool,
    ):
        endings = list(pool.map(execution(records, url, KeptResults(store, records)), [NAME] * calls))
    print(*{f"{ending.result.outcome} {ending.result.payload_bytes}" for ending in endings})
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
