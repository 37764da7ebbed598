"""Three jobs of an assistant, by the text of results alone and by their structure alone, as hosts pass one of them on.

Real functions at the embedded endpoint, and a server over stdio in a process of its own.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import anyio
import psutil
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.types import CallToolResult

from lambda_warden.aws.clients import Clients
from lambda_warden.local.demo import DemoEnvironment
from lambda_warden.local.deploy import zipped
from lambda_warden.model.target import Target
from lambda_warden.settings import Settings
from security.test_logs import run
from support.logs_endpoint import LogsEndpoint
from support.warden import ACCOUNT, REGION, allow, stdio, structured, text_of, write_manifest

pytestmark = pytest.mark.anyio

CHECKOUT: Final = '''"""Takes an order to the till."""
RATES = {"rates-2026-10": 1.1}
def handler(event, context):
    print("reading rates for", event["orderId"])
    try:
        return RATES["rates-2026-11"]
    except KeyError as error:
        raise RuntimeError("checkout failed") from error
'''
SHIP: Final = '''"""Ships one order, which it writes down."""
import time
def handler(event, context):
    with open(event["book"], "a") as book:
        book.write(event["id"] + "\\n")
    time.sleep(0.1)
    return {"shipped": event["id"]}
'''
REPORT: Final = '''"""All orders."""
def handler(event, context):
    return {"orders": [{"id": f"order-{n:06d}", "note": "é" * 20, "total": n} for n in range(30000)]}
'''
ROWS: Final = 30_000
ORDERS: Final = [f"A-{number:04d}" for number in range(50)]
UUID: Final = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Text:
    """What a host that passes on the text alone lets its model see."""

    def __init__(self, result: CallToolResult) -> None:
        self.all = text_of(result)

    def fact(self, name: str) -> str | None:
        if name == "outcome":
            return self.all.split(":")[0]
        found = re.search(rf"^{name}: ([\w=-]+)", self.all, re.MULTILINE)
        return found[1] if found else None

    @property
    def outside(self) -> str:
        return "\n".join(line[2:] for line in self.all.split("\n") if line.startswith("│"))


class Structure:
    """What a host that passes on the structured result alone lets its model see."""

    def __init__(self, result: CallToolResult) -> None:
        self._result = structured(result)
        self.all = json.dumps(self._result, ensure_ascii=False)

    def fact(self, name: str) -> str | None:
        found = self._result.get(name)
        return None if found is None else str(found)

    @property
    def outside(self) -> str:
        found = self._result.get("content", self._result.get("value"))
        return found if isinstance(found, str) else json.dumps(found)


View = Callable[[CallToolResult], Text | Structure]


# Others read by the structure what these jobs do, piece by piece.
@pytest.fixture(params=[Text, pytest.param(Structure, marks=pytest.mark.slow)])
def view(request: pytest.FixtureRequest) -> View:
    made: View = request.param
    return made


@pytest.fixture(scope="module")
def functions(demo: DemoEnvironment) -> str:
    """The URL of the endpoint, which has the functions of these jobs."""
    target = Target(account=ACCOUNT, regions=[REGION], endpoint_url=demo.endpoint_url)
    client = Clients(Settings(records=Path("unused"), sign_requests=False), [target]).for_reading(ACCOUNT, REGION)
    for name, code in {"checkout": CHECKOUT, "ship": SHIP, "report": REPORT}.items():
        client.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=f"arn:aws:iam::{ACCOUNT}:role/demo",
            Handler=f"{name}.handler",
            Code={"ZipFile": zipped(name, code)},
            Timeout=20,
            Publish=True,
        )
        client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return demo.endpoint_url


@pytest.fixture
def server(functions: str, logs: LogsEndpoint, tmp_path: Path) -> StdioServerParameters:
    rules = [allow("checkout", logs={"read": "any"}), allow("ship"), allow("report", effect="read")]
    manifest = write_manifest(tmp_path, functions, rules, target={"logs_endpoint_url": logs.url})
    return stdio(manifest, tmp_path, "--records", str(tmp_path / "records.sqlite3"))


async def test_why_does_checkout_fail(view: View, server: StdioServerParameters, logs: LogsEndpoint) -> None:
    async with Client(server) as client:

        async def call(tool: str, **arguments: Any) -> Text | Structure:
            return view(await client.call_tool(tool, arguments))

        assert "function:checkout" in (await call("list_functions", name_contains="check")).all
        failed = await call("invoke_function", function="checkout:live", payload={"orderId": "A-1"})
        assert failed.fact("outcome") == "function_error"
        assert "checkout failed" in failed.all
        request_id = UUID.findall(failed.all)[0]
        error = "[ERROR] RuntimeError: checkout failed\nTraceback (most recent call last):"
        logs.groups["/aws/lambda/checkout"] = run(request_id, "reading rates", f"{error}\nKeyError: 'rates-2026-11'")

        whole = await call("read_logs", invocation_id=failed.fact("invocation_id"))
        assert whole.fact("outcome") == "found"
        assert "reading rates" in whole.all
        assert "KeyError: 'rates-2026-11'" in whole.all
        newest = await call("read_logs", function="checkout:live", hours_back=1)
        assert UUID.findall(newest.all)[-1] == request_id
        assert "checkout failed" in newest.all


async def test_fifty_orders_are_shipped_once_though_the_server_is_killed(
    view: View, server: StdioServerParameters, tmp_path: Path
) -> None:
    book = tmp_path / "book"
    book.touch()

    def shipped() -> Counter[str]:
        return Counter(book.read_text().split())

    few = anyio.CapacityLimiter(4)

    async def ship(client: Client, order: str, found: dict[str, str | None]) -> None:
        arguments = {"function": "ship:live", "payload": {"id": order, "book": str(book)}, "idempotency_key": order}
        with suppress(MCPError, anyio.ClosedResourceError):
            async with few:
                found[order] = view(await client.call_tool("invoke_function", arguments)).fact("outcome")

    async def all_orders(kill_at: int | None = None) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        before = set(psutil.Process().children())
        with suppress(*() if kill_at is None else (BaseExceptionGroup, MCPError)):
            async with Client(server) as client, anyio.create_task_group() as group:
                for order in ORDERS:
                    group.start_soon(ship, client, order, found)
                while kill_at is not None and len(shipped()) < kill_at:
                    await anyio.sleep(0.01)
                if kill_at is not None:
                    (process,) = set(psutil.Process().children()) - before
                    process.kill()
        return found

    first = await all_orders(kill_at=20)
    assert len(first) < len(ORDERS)
    second = await all_orders()
    assert second.keys() == set(ORDERS)
    outcomes = Counter(second.values())
    print(f"{dict(outcomes)}; {len(shipped())} of {len(ORDERS)} shipped, {len(first)} answered before the kill")
    assert outcomes.keys() <= {"succeeded", "unknown"}
    assert max(shipped().values()) == 1
    assert shipped().keys() >= {order for order, outcome in second.items() if outcome == "succeeded"}


async def test_a_report_of_2_7_mb_is_asked_and_read_whole(view: View, server: StdioServerParameters) -> None:
    async with Client(server, read_timeout_seconds=120) as client:

        async def call(tool: str, **arguments: Any) -> Text | Structure:
            return view(await client.call_tool(tool, arguments))

        answer = await call("invoke_function", function="report:live", payload={})
        assert answer.fact("outcome") == "succeeded"
        invocation_id = answer.fact("invocation_id")
        asked = await call("read_result", invocation_id=invocation_id, query="orders[?total > `29997`].id")
        assert json.loads(asked.outside) == ["order-029998", "order-029999"]
        pages, arguments = [], {"invocation_id": invocation_id, "max_bytes": 1_000_000}
        while True:
            page = await call("read_result", **arguments)
            pages.append(page.outside)
            if (cursor := page.fact("next_cursor")) is None:
                break
            arguments["cursor"] = cursor
        whole = "".join(pages)
        print(f"{len(whole.encode())} bytes in {len(pages)} pages")
        assert len(whole.encode()) > 2_700_000
        assert [order["id"] for order in json.loads(whole)["orders"]] == [
            f"order-{number:06d}" for number in range(ROWS)
        ]
