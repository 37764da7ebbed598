"""Targets that are reached through a role: assumed at the first call, with what the manifest says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import anyio
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambda_warden.aws import role_sessions
from lambda_warden.aws.role_sessions import session_arguments, session_name
from lambda_warden.errors import ManifestError
from lambda_warden.manifests.load import load_manifests
from lambda_warden.model.caller import Caller
from lambda_warden.model.principal import PRINCIPAL, SUBJECT
from lambda_warden.model.target import Target
from support.identity import Served, identity_warden
from support.issuer import Issuer
from support.scripted_endpoint import Received, Reply, ScriptedEndpoint
from support.warden import allow, warden, write_manifest

pytestmark = pytest.mark.anyio

ROLE = "arn:aws:iam::123456789012:role/lambda-warden"


def key_of(session_name: str) -> str:
    """The access key of a role session."""
    return f"ASSUMED{session_name.encode().hex()}"


class WithSts(ScriptedEndpoint):
    """Answers AssumeRole, too."""

    def __init__(self) -> None:
        self.assumed: list[dict[str, str]] = []
        self.refuses = False
        super().__init__()

    def answer(self, received: Received) -> Reply:
        asked = {key: values[0] for key, values in parse_qs(received.body.decode()).items()}
        if asked.get("Action") != "AssumeRole":
            return super().answer(received)
        self.assumed.append(asked)
        if self.refuses or asked["RoleSessionName"] == "user=eve":
            error = "<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not this role</Message></Error>"
            return Reply(403, f"<ErrorResponse>{error}</ErrorResponse>".encode(), {"Content-Type": "text/xml"})
        until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        credentials = (
            f"<Credentials><AccessKeyId>{key_of(asked['RoleSessionName'])}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
            f"<SessionToken>session</SessionToken><Expiration>{until}</Expiration></Credentials>"
        )
        body = f"<AssumeRoleResponse><AssumeRoleResult>{credentials}</AssumeRoleResult></AssumeRoleResponse>"
        return Reply(body=body.encode(), headers={"Content-Type": "text/xml"})


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> WithSts:
    endpoint = WithSts()
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", endpoint.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return endpoint


async def test_a_role_is_assumed_once_and_signs_the_calls(sts: WithSts, tmp_path: Path) -> None:
    keys = {"role_arn": ROLE, "external_id": "customer-7", "role_session_name": "chat-ops"}
    async with warden(tmp_path, sts.url, allow("f"), target=keys, sign_requests=True) as running:
        assert sts.assumed == [], "nothing is sent before the first call"
        for _ in range(3):
            assert (await running.invoke("f:live"))["outcome"] == "succeeded"
    sts.close()
    (asked,) = sts.assumed
    assert (asked["RoleArn"], asked["ExternalId"], asked["RoleSessionName"]) == (ROLE, "customer-7", "chat-ops")
    for received in sts.started:
        assert f"Credential={key_of('chat-ops')}/" in received.headers["authorization"]
        assert received.headers["x-amz-security-token"] == "session"


async def test_a_role_that_is_refused_means_that_nothing_ran(sts: WithSts, tmp_path: Path) -> None:
    sts.refuses = True
    async with warden(tmp_path, sts.url, allow("f"), target={"role_arn": ROLE}, sign_requests=True) as running:
        result = await running.invoke("f:live")
    sts.close()
    assert result["outcome"] == "refused"
    assert result["error"] == {"code": "AccessDenied", "message": "AssumeRole: not this role"}
    assert sts.started == []


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"role_arn": "arn:aws:iam::210987654321:role/other"}, "role_arn is of another account"),
        ({"role_arn": "arn:aws:iam::123456789012:user/me"}, "is not the ARN of a role"),
        ({"external_id": "x1"}, "without role_arn"),
        ({"role_session_name": "x1"}, "without role_arn"),
        ({"source_identity": True, "session_tags": True}, "source_identity and session_tags given without role_arn"),
    ],
)
def test_a_role_that_can_not_be_meant_is_refused(keys: dict[str, Any], problem: str, tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "http://127.0.0.1:9", [allow("f")], target=keys)
    with pytest.raises(ManifestError, match=problem):
        load_manifests([path])


# A session for each caller


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer().running() as running:
        yield running


def with_role(folder: Path, sts: WithSts, issuer: Issuer, **keys: Any) -> AbstractAsyncContextManager[Served]:
    target = {"target": {"role_arn": ROLE, **keys}}
    return identity_warden(folder, sts.url, issuer, allow("f", effect="read"), keys=target, sign_requests=True)


async def test_each_request_is_signed_for_its_caller_however_many_call_at_once(
    sts: WithSts, issuer: Issuer, tmp_path: Path
) -> None:
    subjects = [f"caller-{number}" for number in range(8)]

    async def call(subject: str) -> None:
        async with served.client(sub=subject) as running:
            for number in range(3):
                result = await running.invoke("f:live", payload=[subject, number])
                assert result["outcome"] == "succeeded"

    async with with_role(tmp_path, sts, issuer) as served, anyio.create_task_group() as group:
        for subject in subjects:
            group.start_soon(call, subject)
    sts.close()
    assert sorted(asked["RoleSessionName"] for asked in sts.assumed) == [f"user={subject}" for subject in subjects]
    assert len(sts.started) == 24
    for received in sts.started:
        subject, _ = json.loads(received.body)
        assert f"Credential={key_of(f'user={subject}')}/" in received.headers["authorization"]


async def test_aws_is_told_of_the_person_the_agent_and_the_client_where_the_target_says_so(
    sts: WithSts, issuer: Issuer, tmp_path: Path
) -> None:
    callers: list[dict[str, Any]] = [
        {},
        {"act": {"sub": "bot"}},
        {"sub": "bot", "client_id": "bot"},
        {"sub": "auth0|1"},
    ]
    async with with_role(tmp_path, sts, issuer, source_identity=True, session_tags=True) as served:
        for claims in callers:
            async with served.client(**claims) as running:
                assert (await running.invoke("f:live"))["outcome"] == "succeeded"
    sts.close()
    told = [
        (asked["RoleSessionName"], asked["SourceIdentity"], *(asked[key] for key in asked if key.startswith("Tags.")))
        for asked in sts.assumed
    ]
    principal, actor, client = (f"lambda-warden:{name}" for name in ("principal", "actor", "client"))
    odd = session_name("user:auth0|1")
    assert told == [
        ("user=ann", "user=ann", principal, "user:ann", client, "ide"),
        ("user=ann", "user=ann", principal, "user:ann", actor, "bot", client, "ide"),
        ("client=bot", "client=bot", principal, "client:bot", client, "bot"),
        (odd, odd, principal, "user:auth0-1 78f53c952fd20b56", client, "ide"),
    ]


async def test_one_name_for_all_is_one_session(sts: WithSts, issuer: Issuer, tmp_path: Path) -> None:
    async with with_role(tmp_path, sts, issuer, role_session_name="chat-ops") as served:
        for subject in ("ann", "bob"):
            async with served.client(sub=subject) as running:
                assert (await running.invoke("f:live"))["outcome"] == "succeeded"
    sts.close()
    assert [asked["RoleSessionName"] for asked in sts.assumed] == ["chat-ops"]


async def test_a_caller_whose_session_is_refused_calls_nothing_and_others_go_on(
    sts: WithSts, issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few sessions are kept: who comes back after others has a new one, and nobody has another one's."""
    monkeypatch.setattr(role_sessions, "SESSIONS", 1)
    outcomes = []
    async with with_role(tmp_path, sts, issuer) as served:
        for subject in ("ann", "eve", "bob", "ann"):
            async with served.client(sub=subject) as running:
                outcomes.append((await running.invoke("f:live"))["outcome"])
    sts.close()
    assert outcomes == ["succeeded", "refused", "succeeded", "succeeded"]
    assert [asked["RoleSessionName"] for asked in sts.assumed].count("user=ann") == 2
    signed = [received.headers["authorization"].split("Credential=")[1].split("/")[0] for received in sts.started]
    assert signed == [key_of(f"user={subject}") for subject in ("ann", "bob", "ann")]


principals = st.builds("{}:{}".format, st.sampled_from(["user", "client"]), st.from_regex(SUBJECT, fullmatch=True))


@given(st.lists(principals | st.from_regex(PRINCIPAL, fullmatch=True), min_size=2, max_size=2, unique=True))
@example(["user:auth0|1", "user:auth0-1,048ad76e029319c5"])
@example(["user:a=b:c", "user:a:b=c"])
@example(["user:" + "a" * 60, "user:" + "a" * 61])
def test_a_session_name_is_one_that_sts_takes_and_nobody_elses(pair: list[str]) -> None:
    names = [session_name(principal) for principal in pair]
    assert len(set(names)) == 2
    assert all(re.fullmatch(r"[\w+=,.@-]{2,64}", name, re.ASCII) for name in names)
    tags = [session_arguments(TAGGED, Caller(principal))["Tags"][0]["Value"] for principal in pair]
    assert len(set(tags)) == 2
    assert all(len(tag) <= 256 and re.fullmatch(r"[\w .:/=+@-]*", tag, re.ASCII) for tag in tags)


TAGGED = Target(account="123456789012", regions=["us-east-1"], role_arn=ROLE, session_tags=True)
