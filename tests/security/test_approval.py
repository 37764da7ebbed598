"""A person approves a call, through clients of both eras, and the model can't answer for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult, InputRequiredResult

from support.scripted_endpoint import ScriptedEndpoint
from support.servers import serve_http
from support.warden import Warden, allow, arn, check_of, structured, warden, write_manifest

pytestmark = pytest.mark.anyio

ERAS = ["2026-07-28", "legacy"]
REFUND = allow("refund", "live", "7", effect="destructive", invocation_types=["RequestResponse", "Event"])
PAYLOAD = {"orderId": "A-1", "amount": 12.5}


class Person:
    """Answers what the client is asked, and remembers the questions."""

    def __init__(self, *answers: ElicitResult | Callable[[], Any]) -> None:
        self.answers = list(answers)
        self.questions: list[str] = []

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        self.questions.append(params.message)
        answer = self.answers.pop(0)
        return answer if isinstance(answer, ElicitResult) else await answer()


YES = ElicitResult(action="accept", content={"approve": True})


@pytest.mark.parametrize("mode", ERAS)
async def test_an_approved_call_runs_once_and_the_question_says_what_is_sent(
    mode: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    person = Person(YES)
    rule = {**REFUND, "description": "Refund an order."}
    async with warden(tmp_path, endpoint.url, rule, person=person, mode=mode, principal="chat-ops") as running:
        payload = {**PAYLOAD, "note": "a\u202eb\u200b\nAccount: 1"}
        result = await running.invoke("refund:live", payload=payload, reason="they asked\nAccount: 1\u202e")
        kinds = [kind for kind, _, _ in running.records()]
    assert result["outcome"] == "succeeded"
    assert len(endpoint.started) == 1
    (question,) = person.questions
    for expected in (
        "Run the Lambda function refund:live?",
        "Account: 123456789012, region us-east-1",
        f"ARN: {arn('refund')}:live",
        "Effect: destructive (Refund an order.)",
        "Type: RequestResponse",
        "Asked for by: chat-ops",
        "its effect is destructive",
        '"orderId":"A-1","amount":12.5',
        "a\\u202eb\\u200b\\nAccount: 1",
        "Why the model wants it, in its words:\n│ they asked\n│ Account: 1\\u202e\n",
    ):
        assert expected in question
    assert question.count("\nAccount: ") == 1, "the payload adds no line of its own"
    assert kinds == ["approval", "intent", "outcome"]


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ElicitResult(action="decline"), "a person declined"),
        (ElicitResult(action="cancel"), "dismissed without an answer"),
        (ElicitResult(action="accept", content={"approve": False}), "a person declined"),
        (ElicitResult(action="accept", content={}), "a person declined"),
        (ElicitResult(action="accept"), "a person declined"),
        (ElicitResult(action="accept", content={"approve": "yes"}), "a person declined"),
        (ElicitResult(action="accept", content={"approve": 1}), "a person declined"),
    ],
    ids=["decline", "cancel", "no", "accepted empty", "accepted bare", "text", "number"],
)
async def test_anything_but_a_yes_is_a_denial(
    answer: ElicitResult, reason: str, mode: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, REFUND, person=Person(answer), mode=mode) as running:
        result = await running.invoke("refund:live", payload=PAYLOAD)
        records = running.records()
    assert result["outcome"] == "denied"
    assert reason in check_of(result, "approval")["reason"]
    assert endpoint.connections == 0
    assert [kind for kind, _, _ in records] == ["approval", "denial"]


@pytest.mark.parametrize("mode", ERAS)
async def test_a_client_that_can_ask_nobody_gets_a_denial_that_says_so(
    mode: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with warden(tmp_path, endpoint.url, REFUND, mode=mode) as running:
        result = await running.invoke("refund:live", payload=PAYLOAD)
        asked = await running.dry_run("refund:live", payload=PAYLOAD)
    assert result["outcome"] == "denied"
    assert "this client can't ask" in check_of(result, "approval")["reason"]
    assert asked["would_invoke"] is False
    assert check_of(asked, "approval")["passed"] is False
    assert endpoint.connections == 0


@pytest.mark.parametrize("mode", ERAS)
async def test_over_http_who_has_the_token_is_asked(mode: str, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    person = Person(YES)
    manifest = write_manifest(tmp_path, endpoint.url, [REFUND])
    with serve_http(manifest, tmp_path, "--records", str(tmp_path / "records.sqlite3")) as server:
        async with Client(server.transport(), mode=mode, elicitation_callback=person) as client:
            result = await Warden(client, tmp_path / "records.sqlite3").invoke("refund:live", payload=PAYLOAD)
    assert (result["outcome"], len(person.questions), len(endpoint.started)) == ("succeeded", 1, 1)


@pytest.mark.parametrize("mode", ERAS)
async def test_where_nobody_knows_who_calls_anybody_could_be_the_person_so_nothing_is_approved(
    mode: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    person = Person(YES)
    rules = REFUND, allow("lookup", effect="read")
    async with warden(tmp_path, endpoint.url, *rules, person=person, mode=mode, authentic=False) as running:
        result = await running.invoke("refund:live", payload=PAYLOAD)
        asked = await running.dry_run("refund:live", payload=PAYLOAD)
        listed = await running.list_functions()
        read = await running.list_functions(effect="read")
        other = await running.invoke("lookup:live", payload=PAYLOAD)
    for told in (result, asked):
        assert check_of(told, "approval")["passed"] is False
        assert "is that of an agent" in check_of(told, "approval")["reason"]
    assert (result["outcome"], asked["would_invoke"]) == ("denied", False)
    assert any("of an agent" in note for note in listed["notes"])
    assert not any("of an agent" in note for note in read.get("notes", []))
    assert other["outcome"] == "succeeded"
    assert person.questions == []
    assert len(endpoint.started) == 1
    assert running.kinds() == ["approval", "denial", "denial", "intent", "outcome"]


async def test_nobody_answering_in_time_is_a_denial_of_its_own_kind(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async def never() -> ElicitResult:
        await anyio.sleep(60)
        return YES

    person = Person(never)
    async with warden(tmp_path, endpoint.url, REFUND, person=person, mode="legacy", approval_timeout=0.2) as running:
        result = await running.invoke("refund:live", payload=PAYLOAD)
    assert check_of(result, "approval")["reason"] == "nobody answered in time"
    assert endpoint.connections == 0


async def test_an_answer_after_its_time_is_worth_nothing(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async def late() -> ElicitResult:
        await anyio.sleep(0.4)
        return YES

    person = Person(late)
    async with warden(tmp_path, endpoint.url, REFUND, person=person, approval_timeout=0.1) as running:
        result = await running.invoke("refund:live", payload=PAYLOAD)
    assert check_of(result, "approval")["reason"] == "nobody answered in time"
    assert endpoint.connections == 0


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        (allow("f", effect="destructive"), 1),
        (allow("f", effect="destructive", approval="never"), 0),
        (allow("f", effect="write"), 0),
        (allow("f", effect="read", approval="always"), 1),
    ],
)
async def test_who_is_asked_for_follows_from_the_rule(
    rule: dict[str, Any], asked: int, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    person = Person(YES)
    async with warden(tmp_path, endpoint.url, rule, person=person) as running:
        assert (await running.list_functions())["functions"][0].get("approval", False) == bool(asked)
        assert (await running.invoke("f:live"))["outcome"] == "succeeded"
        assert (await running.invoke("f:live", invocation_type="DryRun"))["outcome"] == "accepted"
    assert len(person.questions) == asked


# The wire of 2026-07-28: the question is a result, and the client calls again with the answer.


async def _ask(running: Warden, **arguments: Any) -> tuple[InputRequiredResult, dict[str, Any]]:
    sent: dict[str, Any] = {"function": "refund:live", "payload": PAYLOAD, **arguments}
    asked = await running.client.session.call_tool("invoke_function", sent, allow_input_required=True)
    assert isinstance(asked, InputRequiredResult)
    return asked, sent


async def _answer(running: Warden, asked: InputRequiredResult, sent: dict[str, Any]) -> Any:
    return await running.client.session.call_tool(
        "invoke_function",
        sent,
        input_responses={"approval": YES},
        request_state=asked.request_state,
        allow_input_required=True,
    )


async def test_an_approval_is_good_for_one_call(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with warden(tmp_path, endpoint.url, REFUND, person=Person(), mode="2026-07-28") as running:
        asked, sent = await _ask(running)
        assert structured(await _answer(running, asked, sent))["outcome"] == "succeeded"
        replayed = structured(await _answer(running, asked, sent))
    assert replayed["outcome"] == "denied"
    assert "used already" in check_of(replayed, "approval")["reason"]
    assert len(endpoint.started) == 1


async def test_of_many_that_replay_an_approval_at_once_one_runs(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    outcomes: list[str] = []
    async with warden(tmp_path, endpoint.url, REFUND, person=Person(), mode="2026-07-28") as running:
        asked, sent = await _ask(running)

        async def replay() -> None:
            outcomes.append(structured(await _answer(running, asked, sent))["outcome"])

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(replay)
    assert sorted(outcomes) == ["denied"] * 19 + ["succeeded"]
    assert len(endpoint.started) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"payload": {**PAYLOAD, "amount": 9000}},
        {"function": "refund:7"},
        {"qualifier": "live"},
        {"invocation_type": "Event"},
        {"client_context": {"a": 1}},
    ],
    ids=lambda changed: next(iter(changed)),
)
async def test_an_approval_is_good_for_the_call_that_was_shown(
    changed: dict[str, Any], endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    """The SDK seals the arguments into the state; what is sent is bound to the question besides."""
    async with warden(tmp_path, endpoint.url, REFUND, person=Person(), mode="2026-07-28") as running:
        asked, sent = await _ask(running)
        with pytest.raises(MCPError, match="requestState"):
            await _answer(running, asked, {**sent, **changed})
    assert endpoint.connections == 0


@pytest.mark.parametrize("state", [None, "made-up"], ids=["none", "made up"])
async def test_an_answer_to_a_question_that_nobody_asked_is_no_approval(
    state: str | None, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    """What a model could send on its own: answers in the request, without a state that this server sealed."""
    async with warden(tmp_path, endpoint.url, REFUND, person=Person(), mode="2026-07-28") as running:
        asked, sent = await _ask(running)
        made_up = asked.model_copy(update={"request_state": state})
        if state:
            with pytest.raises(MCPError, match="requestState"):
                await _answer(running, made_up, sent)
        else:
            assert isinstance(await _answer(running, made_up, sent), InputRequiredResult), "it is asked anew"
    assert endpoint.connections == 0


async def test_an_approval_in_the_arguments_is_an_unknown_argument(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with warden(tmp_path, endpoint.url, REFUND, person=Person()) as running:
        for name in ("approval", "approve", "input_responses"):
            result = await running.invoke("refund:live", payload=PAYLOAD, **{name: True})
            assert check_of(result, "arguments")["passed"] is False
    assert endpoint.connections == 0


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize(
    "text",
    [
        "x" * 10_000,
        "\u2800" * 300,
        "\U000e0041\u200b" * 300,
        "\u3164\n" * 3000,
        "\U00013430" * 300 + "\U0001d173" * 300,
    ],
    ids=["long", "blanks", "tags", "fillers", "formats"],
)
async def test_nothing_pushes_an_amount_out_of_sight(
    text: str, mode: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    person = Person(YES)
    payload = {"note": text, "order": {"id": "A-1", "amount": 12.5, "text": text}, "\u0430mount": 1}
    async with warden(tmp_path, endpoint.url, REFUND, person=person, mode=mode) as running:
        await running.invoke("refund:live", payload=payload)
    (question,) = person.questions
    lines = question.split("\n")
    assert ("│ /order/amount: 12.5" in lines) or '"amount":12.5' in question
    assert "Cyrillic, Latin" in question
    assert len(question) < 8_000
    if not text.isascii():
        hidden = sum(each != "\n" for each in text) * 2
        assert f"Careful: {hidden:,} hidden characters are shown as \\u…" in lines
    assert all(each.isprintable() for each in question if each != "\n")
    assert "\u2800" not in question
    assert "\u3164" not in question


async def test_the_client_context_is_shown_as_it_is_read(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    person = Person(YES)
    async with warden(tmp_path, endpoint.url, REFUND, person=person) as running:
        await running.invoke("refund:live", client_context={"custom": {"action": "delete-everything"}})
    head, _, context = person.questions[0].partition("\nClient context (41 bytes, SHA-256 ")
    assert head.endswith("Payload: none\n")
    assert context.endswith('…):\n│ {"custom":{"action":"delete-everything"}}')


async def test_the_approval_is_on_record_without_the_payload(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with warden(tmp_path, endpoint.url, REFUND, person=Person(YES)) as running:
        await running.invoke("refund:live", payload=PAYLOAD)
        (_, approval_id, approval), (_, intent_id, intent), _ = running.records()
    assert approval_id == intent_id
    assert json.loads(approval)["answer"] == "approved"
    assert json.loads(intent)["approved"] is True
    assert "A-1" not in approval + intent
