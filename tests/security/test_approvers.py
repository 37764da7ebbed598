"""Only the people whom a rule names approve, each once and by their own token, over real HTTP."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import jwt
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lambda_warden.approvals.server_key import server_key
from lambda_warden.cli import main
from lambda_warden.errors import SettingsError
from lambda_warden.manifests.load import load_manifests
from lambda_warden.sinks import delivery
from lambda_warden.store.opening import open_store
from support.approvals import approver, decide, found, tamper
from support.approvers import Person, key_file, person
from support.identity import Served, client_with, identity_warden
from support.issuer import RESOURCE, Issuer, gives, private_key
from support.scripted_endpoint import ScriptedEndpoint
from support.servers import serve_http
from support.warden import Rule, allow, check_of, structured, write_manifest

pytestmark = pytest.mark.anyio

ALB = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/warden/50dc6c495c0c9188"


def rule(**approval: Any) -> Rule:
    asked = {"approvers": ["group:sre", "user:dan"], **approval}
    return allow("f", "7", effect="destructive", approval=asked)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer().running() as running:
        yield running


@asynccontextmanager
async def server(
    folder: Path, endpoint: ScriptedEndpoint, issuer: Issuer, *rules: Rule, **settings: Any
) -> AsyncIterator[Served]:
    made = {"approvals_secret_file": approver()[0], "approvals_key_file": key_file(folder), **settings}
    async with identity_warden(folder, endpoint.url, issuer, *rules or (rule(),), **made) as served:
        yield served


async def asked(served: Served, **claims: Any) -> dict[str, Any]:
    """What is answered to Ann's call, or another's."""
    async with served.client(**claims) as running:
        return await running.invoke("f:7", payload={"a": 1}, wait_seconds=0)


async def done(served: Served, **claims: Any) -> dict[str, Any]:
    async with served.client(**claims) as running:
        return await running.invoke("f:7", payload={"a": 1}, wait_seconds=30)


async def test_two_people_approve_and_one_call_goes_through(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with server(tmp_path, endpoint, issuer, rule(count=2, not_requester=True)) as served:
        first = await asked(served)
        approval_id = first["approval_id"]
        bob, dan = person(served, "bob", "sre"), person(served, "dan")
        listed = (await bob.open()).text
        shown = (await bob.open(f"/requests/{approval_id}")).text
        assert await bob.decide(approval_id, note="looks right") == 303
        again = await asked(served)
        after = (await bob.open(f"/requests/{approval_id}")).text
        assert endpoint.started == []
        assert await dan.decide(approval_id) == 303
        result = await done(served)
        records = tmp_path / "records.sqlite3"
        with closing(open_store(records).audit_reader()) as reader:
            events = [event.fields() for event in reader.events() if event.kind == "approval"]
    assert (result["outcome"], len(endpoint.started)) == ("succeeded", 1)
    assert (
        "0 of 2 approvals are there, and group:sre or user:dan may approve it, but not who asks" in first["next_step"]
    )
    assert f"/approvals/requests/{approval_id}" in first["next_step"]
    assert "1 of 2 approvals are there" in again["next_step"]
    assert approval_id in listed
    assert "user:ann" in shown
    assert 'value="approve"' in shown
    assert "looks right" in after
    assert 'value="approve"' not in after
    assert 'type="password"' not in shown
    said = [(event["by"], event["how"], event["approver"], event["answer"]) for event in events]
    assert said == [
        ("user:bob", "page", "group:sre", "approved"),
        ("user:dan", "page", "user:dan", "approved"),
        ("user:dan", "page", "user:dan", "approved"),
    ]


WHO_CANNOT: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "the requester": ({"not_requester": True}, {"sub": "ann", "groups": ["sre"]}, 409),
    "the requester by name": ({"not_requester": True, "approvers": ["user:ann", "group:sre"]}, {"sub": "ann"}, 409),
    "an agent of the requester": ({}, {"sub": "ann", "groups": ["sre"], "act": {"sub": "bot"}}, 403),
    "an agent of an approver": ({}, {"sub": "bob", "groups": ["sre"], "act": {"sub": "bot"}}, 403),
    "a client": ({}, {"sub": "dan", "client_id": "dan", "groups": ["sre"]}, 403),
    "somebody else": ({}, {"sub": "eve", "groups": ["devs"]}, 404),
    "another case": ({}, {"sub": "Dan"}, 404),
    "a group's name": ({}, {"sub": "group:sre"}, 404),
    "an expired token": ({}, {"sub": "dan", "exp": int(time.time()) - 60}, 401),
    "another audience": ({}, {"sub": "dan", "aud": "https://other.example.com"}, 401),
}


@pytest.mark.parametrize("case", WHO_CANNOT)
async def test_nobody_else_decides(case: str, issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    changed, claims, status = WHO_CANNOT[case]
    async with server(tmp_path, endpoint, issuer, rule(**changed)) as served:
        approval_id = (await asked(served))["approval_id"]
        who = person(served, **{"name": "nobody", **claims})
        # The form token that they would have, had they been shown a form.
        key = server_key(key_file(tmp_path))
        assert key is not None
        token = key.form_token(f"user:{claims['sub']}", found(tmp_path / "records.sqlite3", approval_id))
        for decision in ("approve", "deny"):
            assert await who.send(approval_id, form_token=token, decision=decision) == status
        shown = await who.open(f"/requests/{approval_id}")
        assert "form_token" not in shown.text
        assert status == 409 or (shown.status_code == status and "refund" not in shown.text)
        assert (await asked(served))["outcome"] == "approval_pending"
    assert found(tmp_path / "records.sqlite3", approval_id).rulings == ()


async def test_who_asks_through_an_agent_is_the_requester_and_an_approver_who_asks_is_not_where_the_rule_allows_it(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    agent = {"act": {"sub": "bot"}}
    async with server(tmp_path, endpoint, issuer, rule(not_requester=True)) as served:
        approval_id = (await asked(served, **agent))["approval_id"]
        assert await person(served, "ann", "sre").decide(approval_id) == 403  # for want of a form
        assert found(tmp_path / "records.sqlite3", approval_id).rulings == ()
    async with server(tmp_path, endpoint, issuer, rule()) as served:
        approval_id = (await asked(served, **agent))["approval_id"]
        assert await person(served, "ann", "sre").decide(approval_id) == 303
        assert (await done(served, **agent))["outcome"] == "succeeded"
        assert (await asked(served))["outcome"] == "approval_pending", "it was the agent's"


async def test_one_person_counts_once_and_can_still_deny(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with server(tmp_path, endpoint, issuer, rule(count=2)) as served:
        approval_id = (await asked(served))["approval_id"]
        bob, other_token = person(served, "bob", "sre"), person(served, "bob", "sre", client_id="web", jti="2")
        assert await bob.decide(approval_id) == 303
        await other_token.decide(approval_id, note="again")
        assert len(found(tmp_path / "records.sqlite3", approval_id).rulings) == 1
        assert (await asked(served))["outcome"] == "approval_pending"
        assert await bob.decide(approval_id, "deny", "I was wrong") == 303
        assert await person(served, "dan").decide(approval_id) == 403  # no form: it is decided
        result = await asked(served)
    assert (result["outcome"], endpoint.started) == ("denied", [])
    assert "user:bob denied this call out of band; their note: I was wrong" in check_of(result, "approval")["reason"]


async def test_of_two_who_race_for_the_last_place_one_counts(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with server(tmp_path, endpoint, issuer) as served:
        approval_id = (await asked(served))["approval_id"]
        people = [person(served, f"p{number}", "sre") for number in range(6)]
        tokens = [await each.form_token(approval_id) for each in people]
        statuses: list[int] = []

        async def send(who: Person, token: str, decision: str) -> None:
            statuses.append(await who.send(approval_id, form_token=token, decision=decision))

        async with anyio.create_task_group() as group:
            for number, (who, token) in enumerate(zip(people, tokens, strict=True)):
                group.start_soon(send, who, token, "deny" if number % 2 else "approve")
        state = found(tmp_path / "records.sqlite3", approval_id)
    assert sorted(statuses) == [303] + [409] * 5
    assert len(state.rulings) == 1
    assert state.state == state.rulings[0].verdict


@pytest.mark.parametrize(
    "changed", [{"count": 1}, {"approvers": ["group:sre"]}, {"not_requester": True}], ids=lambda each: next(iter(each))
)
async def test_a_changed_rule_asks_anew(
    changed: dict[str, Any], issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with server(tmp_path, endpoint, issuer, rule(count=2)) as served:
        approval_id = (await asked(served))["approval_id"]
        for name in ("bob", "cy"):
            assert await person(served, name, "sre").decide(approval_id) == 303
        loaded = load_manifests([write_manifest(tmp_path, endpoint.url, [rule(**{"count": 2, **changed})])])
        served.inside.apply(loaded)
        again = await asked(served)
        assert (again["outcome"], endpoint.started) == ("approval_pending", [])
        assert again["approval_id"] != approval_id


# What somebody can write to the store, who has not the server's key


def _rulings(folder: Path, approval_id: str, byte: int, *people: str) -> list[dict[str, Any]]:
    """Rulings that are signed with a key."""
    key = server_key(key_file(folder, byte))
    assert key is not None
    pending = found(folder / "records.sqlite3", approval_id)
    made: list[dict[str, Any]] = []

    class Kept:
        def decide_approval(self, _: str, ruling: Any) -> None:
            made.append(asdict(ruling))

    for each in people:
        approver_name = "user:dan" if each == "user:dan" else "group:sre"
        key.rulings.decide(Kept(), pending, "approved", by=each, how="page", approver=approver_name)  # type: ignore[arg-type]
    return made


FORGED: dict[str, Any] = {
    "another key": lambda folder, of: _rulings(folder, of, 8, "user:bob", "user:dan"),
    "one of two": lambda folder, of: _rulings(folder, of, 7, "user:bob") + _rulings(folder, of, 8, "user:dan"),
    "the other of two": lambda folder, of: _rulings(folder, of, 8, "user:bob") + _rulings(folder, of, 7, "user:dan"),
    "one person twice": lambda folder, of: _rulings(folder, of, 7, "user:bob") * 2,
    "one alone": lambda folder, of: _rulings(folder, of, 7, "user:bob"),
    "the requester": lambda folder, of: _rulings(folder, of, 7, "user:ann", "user:bob"),
    "renamed": lambda folder, of: [
        each | {"by": f"user:{number}"} for number, each in enumerate(_rulings(folder, of, 7, "user:bob", "user:cy"))
    ],
    "the secret's": lambda folder, of: [
        each | {"approver": None} for each in _rulings(folder, of, 7, "user:bob", "user:cy")
    ],
}


@pytest.mark.parametrize("case", FORGED)
async def test_what_is_written_to_the_store_approves_nothing(
    case: str, issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    records = tmp_path / "records.sqlite3"
    async with server(tmp_path, endpoint, issuer, rule(count=2, not_requester=True)) as served:
        approval_id = (await asked(served))["approval_id"]
        text = json.dumps(FORGED[case](tmp_path, approval_id))
        tamper(records, "state = 'approved', ruling = ?", text)
        result = await asked(served)
        assert result["outcome"] == "denied"
        assert "not decided by who may decide it" in check_of(result, "approval")["reason"]
    assert endpoint.started == []


async def test_a_forged_first_approval_makes_the_last_one_void(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with server(tmp_path, endpoint, issuer, rule(count=2)) as served:
        approval_id = (await asked(served))["approval_id"]
        tamper(tmp_path / "records.sqlite3", "ruling = ?", json.dumps(_rulings(tmp_path, approval_id, 8, "user:bob")))
        assert await person(served, "dan").decide(approval_id) == 303
        assert "not decided by who" in check_of(await asked(served), "approval")["reason"]
    assert endpoint.started == []


async def test_what_was_shown_is_what_is_decided_on(issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    records = tmp_path / "records.sqlite3"
    async with server(tmp_path, endpoint, issuer) as served:
        approval_id = (await asked(served))["approval_id"]
        dan = person(served, "dan")
        ask = found(records, approval_id).ask
        tamper(records, "ask = ?", json.dumps(asdict(replace(ask, question="Read the weather?"))))
        token = await dan.form_token(approval_id)
        tamper(records, "ask = ?", json.dumps(asdict(ask)))
        assert await dan.send(approval_id, form_token=token, decision="approve") == 403
        assert found(records, approval_id).rulings == ()


async def test_the_approvers_secret_does_not_count_where_people_are_named(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    records = tmp_path / "records.sqlite3"
    async with server(tmp_path, endpoint, issuer) as served:
        approval_id = (await asked(served))["approval_id"]
        assert not decide(records, approval_id)
        assert not decide(records, approval_id, "denied")
        tamper(records, "ask = ?", json.dumps(asdict(replace(found(records, approval_id).ask, approvers=(), count=1))))
        assert decide(records, approval_id)
        assert (await asked(served))["outcome"] == "approval_pending"
    assert endpoint.started == []


@pytest.mark.parametrize("approval", ["always", {"by": "operator"}])
async def test_a_token_decides_on_nothing_where_nobody_is_named(
    approval: Any, issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with server(tmp_path, endpoint, issuer, allow("f", "7", approval=approval)) as served:
        approval_id = (await asked(served))["approval_id"]
        assert (await person(served, "dan", "sre").open(f"/requests/{approval_id}")).status_code == 404
        assert decide(tmp_path / "records.sqlite3", approval_id)
        assert (await done(served))["outcome"] == "succeeded"


async def test_without_a_key_nothing_is_approved_and_no_page_is_served(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with server(tmp_path, endpoint, issuer, approvals_key_file=None) as served:
        result = await asked(served)
        assert "--approvals-key-file" in check_of(result, "approval")["reason"]
        assert (await person(served, "dan").open()).status_code == 404


# What a page of another site, or a request past the proxy, can send


async def test_a_form_is_taken_from_the_own_page_alone_and_by_whom_it_was_shown(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with server(tmp_path, endpoint, issuer) as served:
        approval_id = (await asked(served))["approval_id"]
        bob, dan = person(served, "bob", "sre"), person(served, "dan")
        token, bobs = await dan.form_token(approval_id), await bob.form_token(approval_id)
        good = dan.browser
        for browser in (
            {},
            {"origin": "null"},
            {"origin": "https://evil.example.com"},
            {**good, "sec-fetch-site": "cross-site"},
            {**good, "sec-fetch-site": "same-site"},
            {"origin": "https://evil.example.com", "content-type": "application/json"},
        ):
            dan.browser = browser
            assert await dan.send(approval_id, form_token=token, decision="approve") == 403
        dan.browser = good
        for wrong in ("", "x", "ä", bobs, token[:-1]):
            assert await dan.send(approval_id, form_token=wrong, decision="approve") == 403
        assert await dan.send(approval_id, form_token=token, decision="both") == 400
        assert await dan.send(approval_id, form_token=token, decision="approve", note="x" * 501) == 400
        nobody = Person(served.url, {})
        assert (await nobody.open()).status_code == (await nobody.open(f"/requests/{approval_id}")).status_code == 401
        headers = (await dan.open()).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert found(tmp_path / "records.sqlite3", approval_id).rulings == ()


async def test_a_scope_can_be_asked_for_that_no_mcp_client_gets(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with server(tmp_path, endpoint, issuer, approvals_scope="approve") as served:
        approval_id = (await asked(served))["approval_id"]
        assert (await person(served, "dan").open()).status_code == 401
        assert await person(served, "dan", scope="run approve").decide(approval_id) == 303


async def test_an_approvers_token_has_the_scopes_that_every_token_needs(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with server(tmp_path, endpoint, issuer, auth_required_scopes=("run",)) as served:
        approval_id = (await asked(served, scope="run"))["approval_id"]
        assert (await person(served, "dan", scope="read").open()).status_code == 401
        assert await person(served, "dan", scope="run").decide(approval_id) == 303


async def test_a_decision_that_a_required_sink_does_not_have_is_not_said_to_be_none(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "CONFIRM_SECONDS", 1.0)
    folder, away = tmp_path / "sink", tmp_path / "away"
    folder.mkdir()
    async with server(tmp_path, endpoint, issuer, sinks=(f"file://{folder}/records?required=true",)) as served:
        approval_id = (await asked(served))["approval_id"]
        dan = person(served, "dan")
        dan.browser = {"accept": "application/json", "content-type": "application/json"}
        token = await dan.form_token(approval_id)
        folder.rename(away)
        said = await dan.answer(approval_id, form_token=token, decision="approve")
        assert (said.status_code, "Open it again to see" in said.text) == (500, True)
        assert found(tmp_path / "records.sqlite3", approval_id).state == "approved"
        assert (await done(served))["outcome"] == "denied"
        assert endpoint.started == []
        away.rename(folder)
        assert (await done(served))["outcome"] == "succeeded"
    kinds = [json.loads(line)["kind"] for line in (folder / "records").read_text().splitlines()]
    assert kinds.index("approval") < kinds.index("intent")


# A load balancer's token


def alb_token(issuer: Issuer, *, kid: str = "k9", key: str = "k9", padded: bool = True, **header: Any) -> str:
    """As a load balancer makes it: padded, with its issuer and expiry in its header."""
    claims = {"sub": header.pop("sub", "dan"), "email": "dan@example.com"}
    head = {"kid": kid, "signer": ALB, "iss": issuer.url, "client": "c", "exp": int(time.time()) + 120, "alg": "ES256"}
    head = {name: value for name, value in {**head, **header}.items() if value is not None}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in (head, claims)]
    signing = ".".join(parts if padded else [part.rstrip("=") for part in parts])
    algorithm = jwt.get_algorithm_by_name("ES256")
    signature = base64.urlsafe_b64encode(algorithm.sign(signing.encode(), private_key(key))).decode()
    return f"{signing}.{signature}"


@asynccontextmanager
async def behind_alb(
    folder: Path, endpoint: ScriptedEndpoint, issuer: Issuer, **settings: Any
) -> AsyncIterator[Served]:
    pem = private_key("k9").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    issuer.answers["/alb/k9"] = gives(pem)
    made = {"approvals_alb": ALB, "load_balancer": True, **settings}
    async with server(folder, endpoint, issuer, **made) as served:
        yield served


@pytest.mark.parametrize("padded", [True, False])
async def test_a_person_whom_the_load_balancer_authenticated_decides(
    padded: bool, issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with behind_alb(tmp_path, endpoint, issuer) as served:
        approval_id = (await asked(served))["approval_id"]
        dan = Person(served.url, {"x-amzn-oidc-data": alb_token(issuer, padded=padded)})
        assert await dan.decide(approval_id) == 303
        assert (await done(served))["outcome"] == "succeeded"
    assert issuer.fetched.count("/alb/k9") == 1


WRONG: dict[str, dict[str, Any]] = {
    "another load balancer": {"signer": ALB.replace("warden", "other")},
    "no signer": {"signer": None},
    "another issuer": {"iss": "https://other.example.com"},
    "expired": {"exp": int(time.time()) - 60},
    "no expiry": {"exp": None},
    "expiry in words": {"exp": "never"},
    "expiry that no float holds": {"exp": 10**400, "key": "k8"},
    "another key": {"key": "k8"},
    "no such key": {"kid": "k7"},
    "a path as key": {"kid": "../jwks"},
    "no key": {"kid": None},
    "none": {"alg": "none"},
    "a shared secret": {"alg": "HS256"},
}


@pytest.mark.parametrize("case", WRONG)
async def test_a_load_balancers_token_is_taken_from_ours_alone(
    case: str, issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with behind_alb(tmp_path, endpoint, issuer, auth_leeway=30.0) as served:
        token = alb_token(issuer, **WRONG[case])
        assert (await Person(served.url, {"x-amzn-oidc-data": token}).open()).status_code == 401
    assert {*issuer.fetched} <= {"/alb/k7", "/alb/k9"}


async def test_the_load_balancers_header_is_read_where_it_is_set_alone_and_never_beside_another_token(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with behind_alb(tmp_path, endpoint, issuer, approvals_alb=None, load_balancer=False) as served:
        smuggled = Person(served.url, {"x-amzn-oidc-data": alb_token(issuer), "x-amzn-oidc-identity": "dan"})
        assert (await smuggled.open()).status_code == 401
    async with behind_alb(tmp_path, endpoint, issuer) as served:
        both = Person(served.url, {"x-amzn-oidc-data": alb_token(issuer), **person(served, "bob", "sre").headers})
        assert (await both.open()).status_code == 401
        plain = Person(served.url, {"x-amzn-oidc-identity": "dan"})
        assert (await plain.open()).status_code == 401


# The command line, with the caller's own token


async def test_a_person_decides_on_the_command_line_with_their_own_token(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with server(tmp_path, endpoint, issuer, rule(count=2, not_requester=True)) as served:
        approval_id = (await asked(served))["approval_id"]
        ask = found(tmp_path / "records.sqlite3", approval_id).ask
        tamper(tmp_path / "records.sqlite3", "ask = ?", json.dumps(asdict(replace(ask, reason="tidy \ud800up"))))

        async def run(name: str, *arguments: str, **claims: Any) -> tuple[int, str]:
            token = tmp_path / f"{name}.token"
            token.write_text(issuer.token(**{"sub": name, "groups": ["sre"], **claims}) + "\n")
            options = ["approvals", "--url", served.url.removesuffix("/mcp"), "--token-file", str(token), *arguments]
            ended = await anyio.to_thread.run_sync(CliRunner().invoke, main, options)
            assert "Bearer" not in ended.output
            return ended.exit_code, ended.output

        assert approval_id in (await run("bob", "list"))[1]
        assert "Run the Lambda function f:7?" in (await run("bob", "show", approval_id))[1]
        assert (await run("bob", "approve", approval_id, "--note", "fine"))[0] == 0
        assert "not yours to decide" in (await run("bob", "approve", approval_id))[1]
        assert "not yours to decide" in (await run("ann", "approve", approval_id))[1]
        assert "An agent decides on nothing" in (await run("cy", "approve", approval_id, act={"sub": "bot"}))[1]
        assert "no such request for you" in (await run("eve", "deny", approval_id, groups=[]))[1]
        assert "no access token that is taken" in (await run("cy", "list", exp=1))[1]
        code, told = await run("cy", "approve", approval_id)
        assert (code, "it is approved (2 of 2 approvals)" in told) == (0, True)
        assert (await done(served))["outcome"] == "succeeded"
    rulings = found(tmp_path / "records.sqlite3", approval_id).rulings
    assert [(each.by, each.how, each.note) for each in rulings] == [
        ("user:bob", "token", "fine"),
        ("user:cy", "token", None),
    ]


@pytest.mark.parametrize(
    "options",
    [
        ["--url", "http://warden.example.com", "--token-file", "t", "list"],
        ["--url", "https://warden.example.com", "list"],
        ["--token-file", "t", "list"],
        ["--url", "https://warden.example.com", "--token-file", "t", "follow"],
        ["--url", "http://127.0.0.1:1", "--token-file", "t", "list"],
    ],
)
def test_a_token_goes_nowhere_it_should_not(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t").write_text("secret-token")
    ended = CliRunner().invoke(main, ["approvals", *options])
    assert ended.exit_code != 0
    assert "secret-token" not in ended.output


# A server in a process of its own, as it is started


async def test_two_people_at_a_server_that_the_command_serves_one_in_a_browser_one_on_the_command_line(
    issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    manifest = write_manifest(tmp_path, endpoint.url, [rule(count=2, not_requester=True)])
    page = "https://approve.example.com/approvals"
    options = {
        "--auth-issuer": issuer.url,
        "--public-url": RESOURCE,
        "--approvals-key-file": str(key_file(tmp_path)),
        "--approvals-url": page,
    }
    arguments = [text for option in options.items() for text in option]
    with serve_http(manifest, tmp_path, *arguments) as running:

        async def call(wait: int) -> dict[str, Any]:
            async with client_with(running.url, issuer.token()) as client:
                arguments = {"function": "f:7", "payload": {"a": 1}, "wait_seconds": wait}
                return structured(await client.call_tool("invoke_function", arguments))

        first = await call(0)
        approval_id = first["approval_id"]
        bearer = {"authorization": f"Bearer {issuer.token(sub='bob', groups=['sre'])}"}
        browser = {"origin": "https://approve.example.com", "sec-fetch-site": "same-origin"}
        assert await Person(running.url, bearer).decide(approval_id) == 403, "the page lies elsewhere"
        assert await Person(running.url, bearer, browser).decide(approval_id) == 303
        (tmp_path / "token").write_text(issuer.token(sub="dan"))
        asks = ["approvals", "--url", running.origin, "--token-file", str(tmp_path / "token"), "approve", approval_id]
        ended = await anyio.to_thread.run_sync(CliRunner().invoke, main, asks)
        assert ended.exit_code == 0, ended.output
        result = await call(30)
    assert f"{page}/requests/{approval_id}" in first["next_step"]
    assert (result["outcome"], len(endpoint.started)) == ("succeeded", 1)


@pytest.mark.parametrize(
    "settings",
    [{"approvals_url": "https://warden.example.com/elsewhere"}, {"approvals_key_file": Path("missing")}],
    ids=lambda each: next(iter(each)),
)
async def test_settings_that_can_not_be_meant(
    settings: dict[str, Any], issuer: Issuer, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="--approvals-"):
        async with server(tmp_path, endpoint, issuer, **settings):
            pass
