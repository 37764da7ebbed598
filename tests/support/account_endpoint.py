"""Lambda and STS of one account, for commands that look at accounts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest

from support.scripted_endpoint import Received, Reply, ScriptedEndpoint
from support.warden import ACCOUNT, arn

IDENTITY = f"arn:aws:sts::{ACCOUNT}:assumed-role/ops/ann"


class Account(ScriptedEndpoint):
    """Lambda and STS of an account with the functions f, g and report-daily; the alias `live` leads to version 7."""

    def __init__(self) -> None:
        super().__init__()
        self.account, self.sts_refusal = ACCOUNT, ""
        self.aliases: Reply = Reply(body=b'{"FunctionVersion": "7"}')
        self.catalog = [{"FunctionName": name, "FunctionArn": arn(name)} for name in ("f", "g", "report-daily")]

    def answer(self, received: Received) -> Reply:
        match parse_qs(received.body.decode()).get("Action"):
            case ["GetCallerIdentity"]:
                return self._identity()
            case ["AssumeRole"]:
                return self._role()
        if "/aliases/" in received.path:
            return self.aliases
        return super().answer(received)

    def _identity(self) -> Reply:
        xml = {"Content-Type": "text/xml"}
        if self.sts_refusal:
            error = f"<Error><Type>Sender</Type><Code>{self.sts_refusal}</Code><Message>no</Message></Error>"
            return Reply(403, f"<ErrorResponse>{error}</ErrorResponse>".encode(), xml)
        said = f"<Arn>{IDENTITY}</Arn><UserId>A:ann</UserId><Account>{self.account}</Account>"
        result = f"<GetCallerIdentityResult>{said}</GetCallerIdentityResult>"
        body = f"<GetCallerIdentityResponse>{result}</GetCallerIdentityResponse>"
        return Reply(body=body.encode(), headers=xml)

    def _role(self) -> Reply:
        until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        keys = "<AccessKeyId>A</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
        body = f"<AssumeRoleResult><Credentials>{keys}<Expiration>{until}</Expiration></Credentials></AssumeRoleResult>"
        return Reply(body=f"<R>{body}</R>".encode(), headers={"Content-Type": "text/xml"})


@contextmanager
def account_endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """The account, with credentials for it in the environment."""
    with closing(Account()) as made:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", made.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield made
