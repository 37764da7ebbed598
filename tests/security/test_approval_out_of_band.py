"""Whoever knows the approver's secret approves a call out of band, once, and nobody else does."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from itertools import repeat
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult

from lambda_warden.approvals.secret import ApproverKey
from lambda_warden.manifests.load import load_manifests
from lambda_warden.store.approvals import OPEN_LIMIT
from lambda_warden.store.opening import open_store
from support.approvals import SECRET, approver, decide, found, stored, tamper
from support.scripted_endpoint import Held, Received, Reply, ScriptedEndpoint, echo, one_after_another, refused
from support.servers import serve_http
from support.terminal import in_terminal, without_terminal
from support.warden import Rule, Warden, allow, always_yes, check_of, warden, write_manifest

pytestmark = pytest.mark.anyio

REFUND = allow("refund", "7", "8", "live", effect="destructive", invocation_types=["RequestResponse", "Event"])
PAYLOAD = {"orderId": "A-1", "amount": 12.5}


class WithAlias(ScriptedEndpoint):
    """Answers GetAlias with the version that a test sets."""

    version = "7"
    looked = 0

    def answer(self, received: Received) -> Reply:
        if received.path.endswith("/aliases/live"):
            self.looked += 1
            return Reply(body=json.dumps({"Name": "live", "FunctionVersion": self.version}).encode())
        return super().answer(received)

    async def until_looked(self, times: int) -> None:
        """Wait until it was asked so often where the alias leads: a call that asks has begun."""
        with anyio.fail_after(30):
            while self.looked < times:
                await anyio.sleep(0.01)


@pytest.fixture
def endpoint() -> Iterator[WithAlias]:
    running = WithAlias()
    yield running
    running.close()


def out_of_band(folder: Path, url: str, *rules: Rule, **settings: Any) -> Any:
    """A server whose client can ask nobody, where an approver's secret is set."""
    return warden(folder, url, *rules or (REFUND,), **{"approvals_secret_file": approver()[0], **settings})


async def ask(running: Warden, **arguments: Any) -> dict[str, Any]:
    """Make the call, without waiting for anybody."""
    call = {"function": "refund:live", "payload": PAYLOAD, "wait_seconds": 0, **arguments}
    return await running.invoke(call.pop("function"), **call)


async def run(running: Warden, **arguments: Any) -> dict[str, Any]:
    """Make the call, and wait for its end."""
    return await ask(running, **{"wait_seconds": 60, **arguments})


async def pending(running: Warden, **arguments: Any) -> str:
    result = await ask(running, **arguments)
    assert result["outcome"] == "approval_pending"
    return str(result["approval_id"])


def story(running: Warden) -> list[tuple[str, Any]]:
    """Kinds of the records, with what was answered."""
    return [(kind, json.loads(body).get("answer")) for kind, _, body in running.records()]


async def test_a_call_goes_through_once_it_is_approved(endpoint: WithAlias, tmp_path: Path) -> None:
    async with out_of_band(tmp_path, endpoint.url) as running:
        first = await ask(running, reason="the customer asked \u202efor it")
        approval_id = first["approval_id"]
        again = await ask(running, reason="another one")
        assert endpoint.started == []
        request = found(running.records_file, approval_id)
        assert decide(running.records_file, approval_id, note="looks right")
        done = await run(running)
        assert (done["outcome"], len(endpoint.started)) == ("succeeded", 1)
        assert await pending(running) != approval_id, "it is good for one call"
    assert (again["outcome"], again["approval_id"]) == ("approval_pending", approval_id)
    assert first["approval_until"][:10] in first["next_step"]
    assert f"lambda-warden approvals approve {approval_id}" in first["next_step"]
    assert "Run the Lambda function refund:live?" in first["next_step"]
    assert request.ask.reason == "the customer asked \u202efor it"
    assert "the customer" not in request.ask.question
    assert "Leads to version: 7" in request.ask.question
    assert story(running) == [
        ("approval_request", None),
        ("approval", "approved"),
        ("approval", "approved"),
        ("intent", None),
        ("outcome", None),
        ("approval_request", None),
    ]
    _, of, body = running.records()[2]
    assert of == done["invocation_id"]
    assert {"by": "ada", "how": "terminal", "note": "looks right", "approval_id": approval_id}.items() <= json.loads(
        body
    ).items()
    assert json.loads(running.records()[3][2])["approved"] is True


async def test_a_call_that_waits_goes_through_when_it_is_approved(endpoint: WithAlias, tmp_path: Path) -> None:
    results: list[dict[str, Any]] = []
    endpoint.behaviours["refund"] = held = Held()
    async with out_of_band(tmp_path, endpoint.url) as running:
        approval_id = await pending(running)

        async def wait() -> None:
            results.append(await run(running))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(wait)
            await endpoint.until_looked(6)
            await anyio.to_thread.run_sync(decide, running.records_file, approval_id)
            with anyio.fail_after(30):
                while len(results) < 4:
                    await anyio.sleep(0.01)
            held.release()
    *others, done = results
    assert [result["outcome"] for result in others] == ["in_progress"] * 4
    assert {result["invocation_id"] for result in others} == {done["invocation_id"]}
    assert (done["outcome"], len(endpoint.started)) == ("succeeded", 1)


async def test_an_approved_call_that_goes_on_is_adopted_and_nobody_is_asked_anew(
    endpoint: WithAlias, tmp_path: Path
) -> None:
    endpoint.behaviours["refund"] = held = Held()
    async with out_of_band(tmp_path, endpoint.url) as running:
        assert decide(running.records_file, await pending(running))
        first, still = await ask(running), await ask(running)
        held.release()
        adopted = await run(running)
        asked = running.kinds().count("approval_request")
        after = await ask(running)
    assert [call["outcome"] for call in (first, still, adopted)] == ["running", "running", "succeeded"]
    assert first["invocation_id"] == still["invocation_id"] == adopted["invocation_id"]
    assert (still["replayed"], adopted["replayed"], asked) == (True, True, 1)
    assert (after["outcome"], len(endpoint.started)) == ("approval_pending", 1)


async def test_a_call_whose_caller_left_while_it_waited_starts_nothing_and_the_next_one_has_the_approval(
    endpoint: WithAlias, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambda_warden.invocation.approving.growing_pauses", lambda: repeat(0.001))
    async with out_of_band(tmp_path, endpoint.url) as running:
        approval_id = await pending(running)
        async with anyio.create_task_group() as group:
            group.start_soon(run, running)
            await endpoint.until_looked(2)
            group.cancel_scope.cancel()
        await anyio.sleep(0.1)  # for the server to hear of it
        assert decide(running.records_file, approval_id)
        await anyio.sleep(0.1)  # it would have looked again by now
        assert (found(running.records_file, approval_id).state, endpoint.started) == ("approved", [])
        assert (await run(running))["outcome"] == "succeeded"
    assert len(endpoint.started) == 1


async def test_a_denial_stands_and_its_note_is_told(endpoint: WithAlias, tmp_path: Path) -> None:
    async with out_of_band(tmp_path, endpoint.url) as running:
        approval_id = await pending(running)
        assert decide(running.records_file, approval_id, "denied", "not\u202e today\nYes")
        for _ in range(2):
            result = await ask(running)
            assert result["outcome"] == "denied"
            assert "their note: not\\u202e today\\nYes" in check_of(result, "approval")["reason"]
        assert not decide(running.records_file, approval_id), "the first decision counts"
        assert (await ask(running))["outcome"] == "denied"
    assert endpoint.started == []
    assert story(running)[:4] == [
        ("approval_request", None),
        ("approval", "denied"),
        ("approval", "denied"),
        ("denial", None),
    ]


CHANGED: dict[str, dict[str, Any]] = {
    "payload": {"payload": {**PAYLOAD, "amount": 9000}},
    "payload_json": {"payload": None, "payload_json": '{"orderId":"A-1","amount":12.50}'},
    "qualifier": {"function": "refund:7"},
    "type": {"invocation_type": "Event"},
    "client context": {"client_context": {"a": 1}},
    "tenant": {"tenant_id": "b"},
    "durable name": {"durable_execution_name": "n"},
}


@pytest.mark.parametrize("case", CHANGED)
async def test_an_approval_is_good_for_the_call_that_was_shown(case: str, endpoint: WithAlias, tmp_path: Path) -> None:
    rule, shown = ({**REFUND, "tenants": ["a", "b"]}, {"tenant_id": "a"}) if case == "tenant" else (REFUND, {})
    async with out_of_band(tmp_path, endpoint.url, rule) as running:
        approval_id = await pending(running, **shown)
        assert decide(running.records_file, approval_id)
        assert await pending(running, **CHANGED[case]) != approval_id
        assert endpoint.started == []
        assert (await run(running, **shown))["outcome"] == "succeeded"


async def test_an_approval_is_its_callers(endpoint: WithAlias, tmp_path: Path) -> None:
    async with out_of_band(tmp_path, endpoint.url) as running:
        approval_id = await pending(running)
        assert decide(running.records_file, approval_id)
    async with out_of_band(tmp_path, endpoint.url, principal="other") as running:
        assert await pending(running) != approval_id
    assert endpoint.started == []


async def test_an_approval_outlives_the_server(endpoint: WithAlias, tmp_path: Path) -> None:
    async with out_of_band(tmp_path, endpoint.url) as running:
        approval_id = await pending(running)
    assert decide(tmp_path / "records.sqlite3", approval_id)
    async with out_of_band(tmp_path, endpoint.url) as running:
        assert (await run(running))["outcome"] == "succeeded"
        assert (await ask(running))["outcome"] == "approval_pending"
    assert len(endpoint.started) == 1


@pytest.mark.parametrize("waits", [False, True], ids=["between calls", "while it waits"])
@pytest.mark.parametrize("back", [False, True], ids=["away", "and back"])
async def test_an_approval_is_void_once_the_alias_was_moved(
    waits: bool, back: bool, endpoint: WithAlias, tmp_path: Path
) -> None:
    results: list[dict[str, Any]] = []
    async with out_of_band(tmp_path, endpoint.url) as running:
        approval_id = await pending(running)

        def move() -> None:
            endpoint.version = "8"
            assert decide(running.records_file, approval_id)

        if waits:
            async with anyio.create_task_group() as group:

                async def wait() -> None:
                    results.append(await run(running))

                group.start_soon(wait)
                await endpoint.until_looked(2)
                await anyio.to_thread.run_sync(move)
            assert results[0]["outcome"] == "denied"
            assert "leads elsewhere" in check_of(results[0], "approval")["reason"]
        else:
            move()
        assert await pending(running) != approval_id
        if back:
            endpoint.version = "7"
            assert await pending(running) != approval_id, "it was void, and stays so"
    assert endpoint.started == []


@pytest.mark.parametrize("waits", [False, True], ids=["between calls", "while it waits"])
@pytest.mark.parametrize("rule", [{**REFUND, "timeout_seconds": 9}, allow("refund", "7", effect="destructive"), None])
async def test_an_approval_is_void_once_the_manifest_was_changed(
    rule: Rule | None, waits: bool, endpoint: WithAlias, tmp_path: Path
) -> None:
    results: list[dict[str, Any]] = []
    async with out_of_band(tmp_path, endpoint.url) as running:
        approval_id = await pending(running)

        def reload_and_approve() -> None:
            changed = [rule, allow("g")] if rule else [allow("g")]
            assert running.inside is not None
            running.inside.apply(load_manifests([write_manifest(tmp_path, endpoint.url, changed)]))
            assert decide(running.records_file, approval_id)

        if waits:
            async with anyio.create_task_group() as group:

                async def wait() -> None:
                    results.append(await run(running))

                group.start_soon(wait)
                await endpoint.until_looked(2)
                await anyio.to_thread.run_sync(reload_and_approve)
            assert "manifests were changed" in check_of(results[0], "approval")["reason"]
        else:
            reload_and_approve()
        result = await ask(running)
        assert result["outcome"] == ("approval_pending" if rule and "live" in rule["qualifiers"] else "denied")
        assert result.get("approval_id") != approval_id
    assert endpoint.started == []


async def test_a_pause_asks_nobody_and_uses_up_no_approval(endpoint: WithAlias, tmp_path: Path) -> None:
    results: list[dict[str, Any]] = []
    async with out_of_band(tmp_path, endpoint.url) as running:
        approval_id = await pending(running)

        async def wait() -> None:
            results.append(await run(running))

        def pause_and_approve() -> None:
            with closing(open_store(running.records_file).audit_log()) as store:
                store.pause("ada")
            assert decide(running.records_file, approval_id)

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await endpoint.until_looked(2)
            await anyio.to_thread.run_sync(pause_and_approve)
        assert (await ask(running, payload={}))["outcome"] == results[0]["outcome"] == "denied"
        with closing(open_store(running.records_file).audit_log()) as store:
            store.resume("ada")
            assert [request.state for request in store.approvals()] == ["approved"]
        assert (await run(running))["outcome"] == "succeeded"


@pytest.mark.parametrize("by", ["operator", "client"])
async def test_the_person_is_told_that_an_earlier_call_may_have_run(
    by: str, endpoint: WithAlias, tmp_path: Path
) -> None:
    endpoint.behaviours["refund"] = one_after_another(lambda _: refused(500, "ServiceException"), echo)
    questions: list[str] = []

    async def person(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        questions.append(params.message)
        return await always_yes(context, params)

    async with out_of_band(tmp_path, endpoint.url, {**REFUND, "approval": {"by": by}}, person=person) as running:

        async def approved(**more: Any) -> dict[str, Any]:
            if by == "operator":
                request = found(running.records_file, await pending(running, **more))
                questions.append(request.ask.question)
                assert decide(running.records_file, request.ask.approval_id)
            return await run(running, **more)

        first = await approved()
        again = await approved(after_unknown=first["invocation_id"])
    assert [call["outcome"] for call in (first, again)] == ["unknown", "succeeded"]
    told = f"the same call {first['invocation_id']} may have run;"
    assert [told in question for question in questions] == [False, True]


async def test_a_limit_leaves_the_approval_to_the_next_call(endpoint: WithAlias, tmp_path: Path) -> None:
    endpoint.behaviours["refund"] = held = Held()
    other = {"payload": {"orderId": "B-2"}}
    async with out_of_band(tmp_path, endpoint.url, {**REFUND, "limits": {"concurrent": 1}}) as running:
        first, second = await pending(running, **other), await pending(running)
        assert decide(running.records_file, first)
        assert decide(running.records_file, second)
        assert (await ask(running, **other))["outcome"] == "running"
        check = check_of(await ask(running, wait_seconds=1), "limits")
        left = found(running.records_file, second).state
        held.release()
        done = await run(running, **other), await run(running)
        used = found(running.records_file, second).state
    assert ("calls at once" in check["reason"], left, used) == (True, "approved", "used")
    assert ([call["outcome"] for call in done], len(endpoint.started)) == (["succeeded"] * 2, 2)
    assert story(running)[-3:] == [("approval", "approved"), ("intent", None), ("outcome", None)]


async def test_a_call_whose_approval_went_while_it_waited_for_its_turn_is_denied(
    endpoint: WithAlias, tmp_path: Path
) -> None:
    """Whatever became of it meanwhile: it is judged in the transaction that admits the call."""
    endpoint.behaviours["refund"] = held = Held()
    results: list[dict[str, Any]] = []
    async with out_of_band(tmp_path, endpoint.url, concurrency=1) as running:
        first, second = await pending(running, payload={}), await pending(running)
        assert decide(running.records_file, first)
        assert (await ask(running, payload={}))["outcome"] == "running"
        assert decide(running.records_file, second)

        async def call() -> None:
            results.append(await run(running))

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            assert running.inside is not None
            with anyio.fail_after(30):
                while not running.inside._pipeline._dispatcher._slots.queued:
                    await anyio.sleep(0.01)
            tamper(running.records_file, f"expires_at = asked_at WHERE approval_id = '{second}'")
            held.release()
    failed = results[0]["checks"][-1]
    assert (results[0]["outcome"], failed["name"]) == ("denied", "approval")
    assert "expired before the call" in failed["reason"]
    assert len(endpoint.started) == 1


async def test_of_two_that_decide_at_once_one_counts(endpoint: WithAlias, tmp_path: Path) -> None:
    counted: list[bool] = []
    async with out_of_band(tmp_path, endpoint.url) as running:
        approval_id = await pending(running)
        threads = [
            threading.Thread(
                target=lambda verdict: counted.append(decide(running.records_file, approval_id, verdict)),
                args=(verdict,),
            )
            for verdict in ("approved", "denied")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            await anyio.to_thread.run_sync(thread.join)
        state = found(running.records_file, approval_id).state
        result = await run(running)
    assert sorted(counted) == [False, True]
    assert result["outcome"] == {"approved": "succeeded", "denied": "denied"}[state]


# What a process of the same user can write to the records, without the secret.


def _approved_by(key: Callable[[], ApproverKey]) -> Callable[[Path, str], None]:
    def write(records: Path, approval_id: str) -> None:
        assert decide(records, approval_id, key=key())

    return write


def _made_up(signature: str) -> Callable[[Path, str], None]:
    rulings = [{"verdict": "approved", "by": "ada", "how": "terminal", "note": None, "signature": signature}]

    def write(records: Path, approval_id: str) -> None:
        tamper(records, "state = 'approved', ruling = ?", json.dumps(rulings))

    return write


def _turned(records: Path, approval_id: str) -> None:
    """A denial that is made an approval."""
    assert decide(records, approval_id, "denied")
    (ruling,) = found(records, approval_id).rulings
    tamper(records, "state = 'approved', ruling = ?", json.dumps([asdict(ruling) | {"verdict": "approved"}]))


def _state_alone(records: Path, approval_id: str) -> None:
    assert decide(records, approval_id, "denied")
    tamper(records, "state = 'approved'")


def _longer(records: Path, approval_id: str) -> None:
    assert decide(records, approval_id)
    tamper(records, "expires_at = expires_at + 1000")


def _of_another(records: Path, approval_id: str) -> None:
    """The signature of a harmless request, which a person did approve."""
    real = stored(records, "ask")
    tamper(records, "ask = ?", json.dumps(real | {"question": "Run the Lambda function lookup?"}))
    assert decide(records, approval_id)
    tamper(records, "ask = ?", json.dumps(real))


FORGED: dict[str, Callable[[Path, str], None]] = {
    "state alone": lambda records, _: tamper(records, "state = 'approved'"),
    "no signature": _made_up(""),
    "made up": _made_up("00" * 64),
    "no hexadecimal": _made_up("yes"),
    "another secret": _approved_by(lambda: _other_key()),
    "a denial turned": _turned,
    "a denial's state": _state_alone,
    "a longer life": _longer,
    "another's signature": _of_another,
}


def _other_key() -> ApproverKey:
    return approver("another")[1]


@pytest.mark.parametrize("case", FORGED)
async def test_an_approval_that_was_not_made_with_the_secret_is_none(
    case: str, endpoint: WithAlias, tmp_path: Path
) -> None:
    async with out_of_band(tmp_path, endpoint.url) as running:
        FORGED[case](running.records_file, await pending(running))
        result = await ask(running)
        assert result["outcome"] == "denied"
    assert endpoint.started == []
    assert story(running)[-2:] in ([("approval", "forged"), ("denial", None)], [("approval", "void"), ("denial", None)])


@pytest.mark.parametrize(
    "changed", [{"question": "Run lookup?"}, {"function": "arn:lookup:live"}, {"effect": "read"}, {"rule": "x:1"}]
)
async def test_a_request_that_was_changed_for_the_person_is_worth_nothing(
    changed: dict[str, str], endpoint: WithAlias, tmp_path: Path
) -> None:
    async with out_of_band(tmp_path, endpoint.url) as running:
        approval_id = await pending(running)
        ask_kept = asdict(found(running.records_file, approval_id).ask)
        tamper(running.records_file, "ask = ?", json.dumps(ask_kept | changed))
        assert decide(running.records_file, approval_id)
        assert await pending(running) != approval_id
    assert endpoint.started == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"verdict": "approved"}'])
async def test_what_is_no_decision_is_a_denial(text: str, endpoint: WithAlias, tmp_path: Path) -> None:
    async with out_of_band(tmp_path, endpoint.url) as running:
        await pending(running)
        tamper(running.records_file, "state = 'approved', ruling = ?", text)
        assert check_of(await ask(running), "record")["passed"] is False
    assert endpoint.started == []


async def test_an_approval_that_expired_is_asked_for_anew(endpoint: WithAlias, tmp_path: Path) -> None:
    async with out_of_band(tmp_path, endpoint.url) as running:
        approval_id = await pending(running)
        assert decide(running.records_file, approval_id)
        tamper(running.records_file, "expires_at = asked_at")
        assert await pending(running) != approval_id
        assert not decide(running.records_file, approval_id)
    assert endpoint.started == []


async def test_of_many_calls_by_one_approval_one_runs(endpoint: WithAlias, tmp_path: Path) -> None:
    outcomes: list[str] = []
    async with out_of_band(tmp_path, endpoint.url) as running:
        assert decide(running.records_file, await pending(running))

        async def call() -> None:
            outcomes.append((await ask(running))["outcome"])

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(call)
    assert (len(outcomes), len(endpoint.started)) == (20, 1)
    assert set(outcomes) <= {"running", "in_progress", "succeeded", "denied", "approval_pending"}


async def test_no_caller_has_many_requests_wait(endpoint: WithAlias, tmp_path: Path) -> None:
    async with out_of_band(tmp_path, endpoint.url) as running:
        for number in range(OPEN_LIMIT):
            await pending(running, function="refund:7", payload={"orderId": number})
        result = await ask(running)
    assert f"{OPEN_LIMIT} requests of this caller wait" in check_of(result, "approval")["reason"]


async def test_what_is_kept_for_the_person_holds_no_secrets(endpoint: WithAlias, tmp_path: Path) -> None:
    key = "AKIA" + "Q3ZV7WB2MNT5XKD4"
    payload = {"orderId": "A-1", "note": f"key {key}", "password": "hunter2-and-more"}
    async with out_of_band(tmp_path, endpoint.url) as running:
        approval_id = await pending(running, payload=payload, client_context={"token": key}, reason=f"use {key}")
        request = found(running.records_file, approval_id)
        assert decide(running.records_file, approval_id)
        done = await run(running, payload=payload, client_context={"token": key})
    kept = json.dumps(asdict(request))
    assert key not in kept
    assert "hunter2" not in kept
    assert "Careful: 2 secrets in it are not shown" in request.ask.question
    assert "A-1" in request.ask.question
    assert done["outcome"] == "succeeded"
    assert key in endpoint.started[0].body.decode()


# Who is asked, and where nobody can be.


@pytest.mark.parametrize(
    ("approval", "set_up", "asks", "outcome"),
    [
        ("always", True, False, "approval_pending"),
        ("always", True, True, "succeeded"),
        ("always", False, False, "denied"),
        ({"by": "operator"}, True, True, "approval_pending"),
        ({"by": "operator"}, False, True, "denied"),
        ({"by": "client"}, True, False, "denied"),
        ({"by": "client"}, True, True, "succeeded"),
        ({"expires": "10s"}, True, False, "approval_pending"),
        ("never", True, False, "succeeded"),
    ],
)
async def test_who_is_asked_follows_from_the_rule_the_client_and_the_secret(
    approval: Any, set_up: bool, asks: bool, outcome: str, endpoint: WithAlias, tmp_path: Path
) -> None:
    settings = {} if set_up else {"approvals_secret_file": tmp_path / "none.json"}
    rule = {**REFUND, "approval": approval}
    person = always_yes if asks else None
    async with out_of_band(tmp_path, endpoint.url, rule, person=person, mode="legacy", **settings) as running:
        asked = await running.dry_run("refund:live", payload=PAYLOAD)
        result = await ask(running, wait_seconds=None)
        listed = (await running.list_functions())["functions"][0]
        if outcome == "approval_pending":
            left = found(running.records_file, result["approval_id"]).left_seconds
            assert (left <= 10) is (approval == {"expires": "10s"})
    assert result["outcome"] == outcome
    assert asked["would_invoke"] is (outcome != "denied")
    assert ("out of band" in str(asked["checks"])) is (outcome == "approval_pending" or not set_up)
    if outcome == "denied":
        told = check_of(result, "approval")["reason"]
        assert ("lambda-warden approvals init" in told) is (approval != {"by": "client"})
    assert listed.get("approval", False) is (approval != "never")
    assert listed.get("approval_by") == (approval.get("by") if isinstance(approval, dict) else None)


async def test_where_it_cannot_be_told_where_the_alias_leads_nobody_is_asked(
    endpoint: WithAlias, tmp_path: Path
) -> None:
    endpoint.version = ""
    async with out_of_band(tmp_path, endpoint.url) as running:
        result = await ask(running)
    assert "could not be read" in check_of(result, "alias")["reason"]
    assert running.kinds() == ["denial"]


async def test_over_http_calls_are_approved_out_of_band(endpoint: WithAlias, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, endpoint.url, [{**REFUND, "approval": {"by": "operator"}}])
    records = tmp_path / "records.sqlite3"
    arguments = ["--records", str(records), "--approvals-secret-file", str(approver()[0])]
    with serve_http(manifest, tmp_path, *arguments) as server:
        async with Client(server.transport(), elicitation_callback=always_yes) as client:
            running = Warden(client, records)
            assert decide(records, await pending(running))
            done = await run(running)
            listed = await running.list_functions()
    assert done["outcome"] == "succeeded"
    assert not any("over stdio" in note for note in listed.get("notes", []))


# An agent with a shell of the same user.


async def test_no_command_approves_without_the_secret(endpoint: WithAlias, tmp_path: Path) -> None:
    async with out_of_band(tmp_path, endpoint.url) as running:
        approval_id = await pending(running)
        secret_file = Path(shutil.copy(approver()[0], tmp_path))
        files = ["--records", str(running.records_file), "--approvals-secret-file", str(secret_file)]
        command = ["approvals", *files, "approve", approval_id]

        def attack() -> None:
            for ended in (
                without_terminal(tmp_path, command, piped=f"{SECRET}\n" * 3),
                without_terminal(tmp_path, command, variables={"LAMBDA_WARDEN_APPROVALS_SECRET": SECRET}),
                without_terminal(tmp_path, [*command, "--secret", SECRET]),
                without_terminal(tmp_path, [*command, SECRET]),
                without_terminal(tmp_path, ["approvals", *files, "init"], piped="another secret of theirs\n" * 3),
                in_terminal(tmp_path, command, "a wrong secret", "a wrong secret", ""),
                in_terminal(tmp_path, ["approvals", *files, "init"], *["another secret of theirs"] * 3),
            ):
                assert ended.code != 0, ended.shown
            assert "too many wrong secrets: the next try is in" in ended.shown

        await anyio.to_thread.run_sync(attack)
        assert found(running.records_file, approval_id).state == "pending"
        secret_file.with_name("approver.json.tries").unlink()
        right = await anyio.to_thread.run_sync(in_terminal, tmp_path, [*command, "--note", "ok"], SECRET)
        assert right.code == 0, right.shown
        assert "Run the Lambda function refund:live?" in right.shown
        assert (await run(running))["outcome"] == "succeeded"
