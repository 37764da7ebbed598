"""Everything goes by the caller that the access token names: over real HTTP, with real clients and a real issuer."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import MCPError
from mcp.client.session import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult

from lambda_warden.app import Warden
from lambda_warden.errors import SettingsError
from lambda_warden.manifests.load import load_manifests
from lambda_warden.settings import Settings
from lambda_warden.transport.authentication.verifier import identity_from
from support import wire
from support.identity import Served, client_with, identity_warden
from support.issuer import RESOURCE, Issuer, gives
from support.scripted_endpoint import Held, ScriptedEndpoint, returned
from support.servers import serve_http
from support.warden import allow, always_yes, structured, write_manifest

pytestmark = pytest.mark.anyio

F = allow("f", principals=["user:ann", "user:bob", "group:sre"], effect="read")


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer().running() as running:
        yield running


# Who may call what


async def test_each_caller_sees_and_calls_what_the_rules_give_them(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    rules = [
        allow("ann", principals=["user:ann"]),
        allow("sre", principals=["group:sre"]),
        allow("bot", principals=["client:bot"]),
        allow("scoped", scopes=["run"]),
        allow("through", clients=["ide"]),
        allow("stdio", principals=["local"]),
    ]
    callers: list[tuple[dict[str, Any], set[str]]] = [
        ({}, {"ann", "through"}),
        ({"sub": "bob", "groups": ["sre"], "client_id": "web"}, {"sre"}),
        ({"sub": "bot", "client_id": "bot", "scope": "run"}, {"bot", "scoped"}),
        ({"act": {"sub": "bot"}, "scope": "run"}, {"ann", "scoped"}),
        ({"sub": "local", "client_id": "local", "groups": ["local"]}, set()),
    ]
    async with identity_warden(tmp_path, endpoint.url, issuer, *rules, principal="local") as served:
        for claims, expected in callers:
            async with served.client(**claims) as running:
                listed = await running.list_functions()
                assert {entry["function"].rsplit(":", 1)[-1] for entry in listed["functions"]} == expected
                for name in ("ann", "sre", "bot", "scoped", "through", "stdio"):
                    assert (await running.dry_run(f"{name}:live"))["would_invoke"] is (name in expected)
                    assert (await running.invoke(f"{name}:live"))["outcome"] in ("denied", "succeeded")
    assert len(endpoint.started) == sum(len(expected) for _, expected in callers)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_tool_of_a_function_is_shown_to_who_may_call_it_and_denied_to_others(
    mode: str, issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    rules = [
        allow("ann", principals=["user:ann"], expose="tool"),
        allow("sre", principals=["group:sre"], expose="tool"),
        allow("scoped", scopes=["run"], expose="tool"),
        allow("through", clients=["ide"], expose="tool"),
    ]
    callers: list[tuple[dict[str, Any], list[str]]] = [
        ({}, ["ann", "through"]),
        ({"sub": "bob", "groups": ["sre"], "client_id": "web"}, ["sre"]),
        ({"act": {"sub": "bot"}, "scope": "run"}, ["ann", "scoped"]),
        ({"sub": "eve", "client_id": "web"}, []),
    ]
    async with identity_warden(tmp_path, endpoint.url, issuer, *rules) as served:
        for claims, expected in callers:
            async with served.client(mode=mode, **claims) as running:
                assert [tool.name for tool in (await running.client.list_tools()).tools][5:] == expected
                for name in ("ann", "sre", "scoped", "through"):
                    result = structured(await running.call(name, payload=1))
                    assert result["outcome"] == ("succeeded" if name in expected else "denied")
                    if name not in expected:
                        last = running.bodies("denial")[-1]
                        assert (last["tool"], last["check"]) == (name, "principal")
    assert len(endpoint.started) == sum(len(expected) for _, expected in callers)


async def test_limits_are_each_callers_and_an_agent_counts_as_whom_it_acts_for(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    keys = {"principals": {"user:ann": {"limits": {"per_day": 2}}, "user:bob": {"limits": {"per_day": 1}}}}
    async with identity_warden(tmp_path, endpoint.url, issuer, F, keys=keys) as served:
        outcomes = []
        for claims in ({}, {"act": {"sub": "bot"}}, {"client_id": "web"}, {"sub": "bob"}, {"sub": "bob"}):
            async with served.client(**claims) as running:
                outcomes.append((await running.invoke("f:live"))["outcome"])
    assert outcomes == ["succeeded", "succeeded", "denied", "succeeded", "denied"]


async def test_a_caller_reaches_its_own_tenant_alone(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    rule = allow("f", tenants="caller")
    reached = []
    async with identity_warden(tmp_path, endpoint.url, issuer, rule, auth_tenant_claim="org") as served:
        for org in ("blue", "green", "*", None):
            async with served.client(org=org) as running:
                (listed,) = (await running.list_functions())["functions"]
                assert listed["tenants"] == ([org] if org in ("blue", "green") else [])
                for tenant in ("blue", "green", "*", None):
                    endpoint.reset()
                    await running.invoke("f:live", tenant_id=tenant)
                    reached += [(org, one.headers["x-amz-tenant-id"]) for one in endpoint.invocations]
    assert reached == [("blue", "blue"), ("green", "green")]


# What a caller's is


async def test_what_one_caller_did_is_for_others_as_if_it_had_never_been(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.behaviours["f"] = lambda _: returned({"note": "of Ann"})
    rule = {**F, "logs": {}}
    async with identity_warden(tmp_path, endpoint.url, issuer, rule) as served:
        async with served.client() as ann:
            made = await ann.invoke("f:live", payload=1, idempotency_key="k")
            read = await ann.call("read_result", invocation_id=made["invocation_id"], part="payload")
            assert "of Ann" in str(structured(read))
        others: list[dict[str, Any]] = [{"sub": "bob"}, {"sub": "Ann"}, {"sub": "ann", "client_id": "ann"}]
        for claims in others:
            async with served.client(**claims, groups=["sre"]) as other:
                for tool, arguments in (
                    ("read_result", {"part": "payload"}),
                    ("read_result", {}),
                    ("read_logs", {}),
                ):
                    theirs = await other.call(tool, invocation_id=made["invocation_id"], **arguments)
                    nobodys = await other.call(tool, invocation_id="0" * 32, **arguments)
                    assert theirs.is_error
                    assert "of Ann" not in str(theirs)
                    told = str(structured(theirs) | {"read_id": None}).replace(made["invocation_id"], "0" * 32)
                    assert told == str(structured(nobodys) | {"read_id": None})
                with pytest.raises(MCPError):
                    await other.client.read_resource(f"lambda-warden://invocations/{made['invocation_id']}/payload")
                again = await other.invoke("f:live", payload=1, idempotency_key="k")
                assert (again["outcome"], again.get("replayed")) == ("succeeded", None)
    assert len(endpoint.started) == 4


async def test_a_key_that_a_person_used_is_not_their_agents(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with identity_warden(tmp_path, endpoint.url, issuer, F) as served:
        async with served.client() as ann:
            await ann.invoke("f:live", idempotency_key="k")
        async with served.client(act={"sub": "bot"}) as agent:
            result = await agent.invoke("f:live", idempotency_key="k")
    assert result["outcome"] == "denied"
    assert len(endpoint.started) == 1


async def test_a_call_that_one_caller_left_is_nobody_elses_to_adopt_or_to_follow_as_a_task(
    issuer: Issuer, held: Held, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    rule = {**F, "effect": "write"}
    async with (
        identity_warden(tmp_path, endpoint.url, issuer, rule) as served,
        served.client() as ann,
        served.client(sub="bob") as bob,
        served.client(act={"sub": "bot"}) as agent,
    ):
        made = await ann.invoke("f:live", wait_seconds=0)
        for other in (bob, agent):
            started = await other.invoke("f:live", wait_seconds=0)
            assert started["outcome"] == "running"
            assert started["invocation_id"] != made["invocation_id"]
        told = [await task(served, made["invocation_id"], sub=subject) for subject in ("ann", "bob", "ann ")]
        held.release()
        await ann.until_free()
    assert len(endpoint.started) == 3
    assert "working" in told[0]
    assert "Unknown task" in told[1]
    assert "invalid_token" in told[2]


async def task(served: Served, task_id: str, **claims: Any) -> str:
    """What is answered to who asks for a task."""
    sent = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tasks/get"} | headers(served.issuer.token(**claims))
    asked = wire.request(1, "tasks/get", {"taskId": task_id}, extensions=["io.modelcontextprotocol/tasks"])
    async with httpx2.AsyncClient() as http:
        return (await http.post(served.url, content=asked, headers=sent)).text


# One session, and whose it is


def headers(token: str | None, session: str | None = None) -> dict[str, str]:
    made = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    if token is not None:
        made["authorization"] = f"Bearer {token}"
    return made | ({"mcp-session-id": session} if session else {})


async def test_each_request_of_a_session_is_judged_by_its_own_token(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    """A group that was taken away is gone with the next token, and nobody else's token opens the session."""
    rule = allow("f", principals=["group:sre"], effect="read")
    initialize, initialized = wire.handshake().splitlines()
    calls = (wire.invoke(number, legacy=True, function="f:live") for number in itertools.count(2))

    async with identity_warden(tmp_path, endpoint.url, issuer, rule) as served, httpx2.AsyncClient() as http:
        opened = await http.post(served.url, content=initialize, headers=headers(issuer.token(groups=["sre"])))
        session = opened.headers["mcp-session-id"]
        outcomes = []
        for groups in (["sre"], [], ["sre"]):
            sent = headers(issuer.token(groups=groups), session)
            await http.post(served.url, content=initialized, headers=sent)
            answer = await http.post(served.url, content=next(calls), headers=sent)
            outcomes.append('"outcome":"succeeded"' in answer.text.replace(" ", ""))
        others: list[dict[str, Any]] = [{"sub": "bob"}, {"client_id": "web"}, {"act": {"sub": "bot"}}]
        for claims in others:
            sent = headers(issuer.token(**claims, groups=["sre"]), session)
            assert (await http.post(served.url, content=next(calls), headers=sent)).status_code == 404
        for token in (None, "x", issuer.token(exp=1)):
            refused = await http.post(served.url, content=next(calls), headers=headers(token, session))
            assert refused.status_code == 401
    assert outcomes == [True, False, True]
    assert len(endpoint.started) == 2


async def test_while_the_issuer_has_never_answered_nobody_is_sent_to_log_in_again(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    issuer.answers["/jwks"] = gives(b"", 503)
    async with identity_warden(tmp_path, endpoint.url, issuer, F) as served, httpx2.AsyncClient() as http:
        list_tools = wire.request(1, "tools/list", {})
        answer = await http.post(served.url, content=list_tools, headers=headers(issuer.token()))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert "www-authenticate" not in answer.headers
        assert (await http.post(served.url, content=list_tools, headers=headers(None))).status_code == 401
    assert not endpoint.started


async def test_who_has_no_good_token_is_told_where_to_get_one(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    metadata = "http://127.0.0.1:8000/.well-known/oauth-protected-resource/mcp"
    scopes = ("run", "read")
    async with (
        identity_warden(tmp_path, endpoint.url, issuer, F, auth_required_scopes=scopes) as served,
        httpx2.AsyncClient() as http,
    ):
        list_tools = wire.request(1, "tools/list", {})

        async def ask(token: str | None) -> tuple[int, str]:
            answer = await http.post(served.url, content=list_tools, headers=headers(token))
            return answer.status_code, answer.headers.get("www-authenticate", "")

        for token in (None, "abc", issuer.token(exp=1, scope="run read"), issuer.token(aud="x", scope="run read")):
            status, challenge = await ask(token)
            assert (status, f'resource_metadata="{metadata}"' in challenge) == (401, True)
            assert 'error="invalid_token"' in challenge
        for had in ("", "run", "read runs"):
            status, challenge = await ask(issuer.token(scope=had))
            assert (status, 'error="insufficient_scope"' in challenge) == (403, True)
        told = await http.get(served.url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp"))
        assert told.json() == {
            "resource": RESOURCE,
            "authorization_servers": [issuer.url],
            "scopes_supported": ["run", "read"],
            "bearer_methods_supported": ["header"],
        }
        async with served.client(scope="read run") as running:
            assert (await running.invoke("f:live"))["outcome"] == "succeeded"
    assert len(endpoint.started) == 1


# Approvals


@pytest.mark.parametrize(
    ("claims", "asked"),
    [({}, True), ({"act": {"sub": "bot"}}, False), ({"sub": "bot", "client_id": "bot"}, False)],
    ids=["a person", "an agent for a person", "a client for itself"],
)
@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_the_client_of_a_person_is_asked_and_no_agent_answers_for_itself(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path, claims: dict[str, Any], asked: bool, mode: str
) -> None:
    questions: list[str] = []

    async def person(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        questions.append(params.message)
        return await always_yes(context, params)

    rule = allow("f", approval="always")
    async with (
        identity_warden(tmp_path, endpoint.url, issuer, rule) as served,
        served.client(person=person, mode=mode, **claims) as running,
    ):
        result = await running.invoke("f:live")
    assert (result["outcome"] == "succeeded") is asked
    assert len(endpoint.started) == len(questions) == asked
    assert all("Asked for by: user:ann\n" in question for question in questions)


# What is said of a caller, and what is not


async def test_the_records_have_the_person_the_agent_and_the_client_and_nothing_has_the_token(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = []

    async def call(served: Served, **claims: Any) -> None:
        tokens.append(issuer.token(email="mail-of-ann", jti="id-of-a-token", **claims))
        async with served.client(tokens[-1]) as running:
            result = await running.call("invoke_function", function="f:live", payload={"a": 1})
            read = await running.call("read_result", invocation_id=structured(result)["invocation_id"], part="payload")
            listed = await running.call("list_functions")
            said.append(f"{result}{read}{listed}")

    said: list[str] = []
    caplog.set_level(logging.DEBUG)
    async with identity_warden(tmp_path, endpoint.url, issuer, F) as served:
        await call(served)
        await call(served, act={"sub": "ops-bot"}, groups=["sre", "dev"])
        await call(served, sub="nightly", client_id="nightly", groups=["sre"])
        await call(served, sub="eve")
        async with served.client() as running:
            bodies = [*running.bodies("intent"), *running.bodies("denial")]
    names = ("principal", "subject", "actor", "client_id", "groups")
    assert [tuple(body.get(name) for name in names) for body in bodies] == [
        ("user:ann", "ann", None, "ide", None),
        ("user:ann", "ann", "ops-bot", "ide", "sre,dev"),
        ("client:nightly", None, None, "nightly", "sre"),
        ("user:eve", "eve", None, "ide", None),
    ]
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("lambda_warden", "uvicorn"))]
    seen = [
        *said,
        *ours,
        *(file.read_bytes().decode("latin-1") for file in tmp_path.rglob("*") if file.is_file()),
        *(f"{received}" for received in endpoint.received),
    ]
    for hidden in ("mail-of-ann", "id-of-a-token", *(part for token in tokens for part in token.split(".")[1:])):
        assert not any(hidden in text for text in seen)


async def test_the_command_serves_who_has_a_token(issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, endpoint.url, [F])
    options = ("--auth-issuer", issuer.url, "--public-url", RESOURCE, "--records", str(tmp_path / "records.sqlite3"))
    with serve_http(manifest, tmp_path, *options) as server:
        async with client_with(server.url, issuer.token()) as client:
            assert (
                structured(await client.call_tool("invoke_function", {"function": "f:live"}))["outcome"] == "succeeded"
            )
        async with httpx2.AsyncClient() as http:
            assert (
                await http.post(server.url, content=wire.request(1, "tools/list", {}), headers=headers(None))
            ).status_code == 401


def test_no_server_over_stdio_goes_by_access_tokens(issuer: Issuer, tmp_path: Path) -> None:
    """Nor one that nobody verifies them for: nothing would say who calls."""
    loaded = load_manifests([write_manifest(tmp_path, "http://127.0.0.1:9", [F])])
    settings = Settings(records=tmp_path / "records.sqlite3", auth_issuer=issuer.url, public_url=RESOURCE)
    for authentic, identity in ((True, identity_from(settings)), (True, None), (False, None)):
        with pytest.raises(SettingsError, match="over HTTP alone"):
            Warden(settings, loaded, authentic=authentic, identity=identity)
