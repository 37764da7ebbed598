"""Targets that are reached through a role: assumed at the first call, with what the manifest says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from lambda_warden.errors import ManifestError
from lambda_warden.manifests.load import load_manifests
from support.scripted_endpoint import Received, Reply, ScriptedEndpoint
from support.warden import allow, warden, write_manifest

pytestmark = pytest.mark.anyio

ROLE = "arn:aws:iam::123456789012:role/lambda-warden"


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
        if self.refuses:
            error = "<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not this role</Message></Error>"
            return Reply(403, f"<ErrorResponse>{error}</ErrorResponse>".encode(), {"Content-Type": "text/xml"})
        until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        credentials = (
            "<Credentials><AccessKeyId>ASSUMED</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
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
        assert "Credential=ASSUMED/" in received.headers["authorization"]
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
    ],
)
def test_a_role_that_can_not_be_meant_is_refused(keys: dict[str, Any], problem: str, tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "http://127.0.0.1:9", [allow("f")], target=keys)
    with pytest.raises(ManifestError, match=problem):
        load_manifests([path])
