"""Answers from practice: what AWS, its emulators, proxies and other servers say, and what is then known and done."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_warden.aws.clients import Clients
from lambda_warden.aws.configuration import Configuration, read_configuration
from lambda_warden.aws.errors import classify
from lambda_warden.aws.invocation_handle import InvocationHandle
from lambda_warden.aws.invoke import invoke
from lambda_warden.invocation.retry import attempt_until_it_may_have_run
from lambda_warden.model.outcome import RawOutcome, Refused, Returned, Unknown
from lambda_warden.model.request import RequestedInvocationType
from support.builders import ACCOUNT, ref, request
from support.calls import clients_at
from support.failures import environment, nobody_listens
from support.raw_server import answer, answering, raw_server
from support.scripted_endpoint import Received, Reply, ScriptedEndpoint, one_after_another, refused, returned

TAIL = replace(request(), log_tail=True)
NO_ID = {"x-amzn-RequestId": ""}


def called(clients: Clients, sent: Any = TAIL, max_attempts: int = 1) -> tuple[RawOutcome, int]:
    """One call, with the attempts that it takes."""
    handle = InvocationHandle()
    return attempt_until_it_may_have_run(
        lambda: invoke(clients, ref(), sent, handle), max_attempts, handle, lambda *_: None
    )


def said(data: bytes, sent: Any = None) -> RawOutcome:
    with raw_server(answering(data)) as server:
        return invoke(clients_at(server.url), ref(), sent or request(), InvocationHandle())


# What is no answer of Lambda's


@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
@pytest.mark.parametrize("status", [200, 202, 204])
def test_only_lambdas_own_status_ends_a_call(kind: RequestedInvocationType, status: int) -> None:
    outcome = said(answer(status), request(invocation_type=kind))
    expected = {"RequestResponse": 200, "Event": 202, "DryRun": 204}[kind]
    assert isinstance(outcome, Returned if status == expected else Unknown)
    if isinstance(outcome, Unknown):
        assert outcome.code == "UnexpectedStatus"
        assert f"with {expected}" in outcome.message
        assert (outcome.status_code, outcome.request_id) == (status, "r-1")


OTHERS = {
    "login page": {"Content-Type": "text/html"},
    "login page of a known server": {"Content-Type": "text/html; charset=utf-8", "Server": "nginx"},
    "JSON of another server": {"Content-Type": "application/json", "Server": "nginx"},
    "JSON of nobody": {"Content-Type": "application/json"},
    "nothing": {},
    "text without a date": {"Content-Type": "text/plain; charset=utf-8"},
    "page of SAM's server": {"Content-Type": "text/html", "Server": "Werkzeug/3.1.3 Python/3.11.7"},
}


@pytest.mark.parametrize("headers", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("sent", [request(), replace(request(), response_stream=True)], ids=["buffered", "stream"])
def test_a_200_without_lambdas_headers_is_no_success(headers: dict[str, str], sent: Any) -> None:
    outcome = said(answer(200, b"<html>Login</html>", {**NO_ID, **headers}), sent)
    assert isinstance(outcome, Unknown)
    assert (outcome.code, outcome.status_code) == ("NoLambdaEndpoint", 200)
    assert "no Lambda endpoint" in outcome.message


EMULATORS = {
    "SAM": {"Content-Type": "application/json", "Server": "Werkzeug/3.1.3 Python/3.11.7"},
    "runtime interface emulator": {
        "Content-Type": "text/plain; charset=utf-8",
        "Date": "Sat, 28 Nov 2026 07:00:00 GMT",
    },
}


@pytest.mark.parametrize("headers", EMULATORS.values(), ids=EMULATORS)
def test_the_emulators_that_give_no_request_id_are_served(headers: dict[str, str]) -> None:
    outcome = said(answer(200, b"{}", {**NO_ID, **headers}))
    assert isinstance(outcome, Returned)
    assert outcome.payload == b"{}"


# The end of the log


def no_tail(_: Received) -> Reply:
    return refused(403, "AccessDeniedException", "Cross-account log access is not allowed.")


def sam(_: Received) -> Reply:
    return refused(501, "NotImplemented", "log-type: Tail is not supported. None is only supported.")


@pytest.mark.parametrize("behaviour", [no_tail, sam])
def test_where_the_log_is_refused_the_call_is_made_once_more_without_it_and_so_are_later_ones(
    behaviour: Any, endpoint: ScriptedEndpoint
) -> None:
    endpoint.behaviours["orders-refund"] = lambda got: (
        behaviour(got) if got.headers.get("x-amz-log-type") == "Tail" else returned(1)
    )
    clients = clients_at(endpoint.url)
    outcome, attempts = called(clients)
    assert (isinstance(outcome, Returned), attempts) == (True, 2)
    assert called(clients)[1] == 1
    assert [got.headers.get("x-amz-log-type") for got in endpoint.started] == ["Tail", None, None]


def test_an_answer_that_speaks_of_the_log_where_none_was_asked_for_is_final(endpoint: ScriptedEndpoint) -> None:
    endpoint.behaviours["orders-refund"] = no_tail
    outcome, attempts = called(clients_at(endpoint.url), request())
    assert isinstance(outcome, Refused)
    assert (outcome.remedy, attempts) == (None, 1)


@pytest.mark.parametrize("message", ["log-type: Tail is not supported", "invocation-type: Event is not supported"])
def test_a_501_ran_nothing(message: str) -> None:
    outcome = said(answer(501, f'{{"message": "{message}"}}'.encode(), {"x-amzn-ErrorType": "NotImplemented"}))
    assert isinstance(outcome, Refused)
    assert not outcome.retry_sensible


# Credentials


@contextmanager
def profile(folder: Path, key: str, config: str = "") -> Iterator[Path]:
    file = folder / "credentials"
    file.write_text(keys(key))
    (folder / "config").write_text(config)
    with (
        environment(AWS_SHARED_CREDENTIALS_FILE=str(file), AWS_CONFIG_FILE=str(folder / "config")),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.delenv("AWS_ACCESS_KEY_ID", raising=False)
        patch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
        yield file


def keys(key: str) -> str:
    return f"[ops]\naws_access_key_id = {key}\naws_secret_access_key = testing\n"


def signed(endpoint: ScriptedEndpoint) -> Clients:
    return clients_at(endpoint.url, target={"profile": "ops"}, sign_requests=True)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ExpiredTokenException", "The security token included in the request is expired"),
        ("UnrecognizedClientException", "The security token included in the request is invalid."),
        ("InvalidSignatureException", "The request signature we calculated does not match the signature you provided."),
        ("InvalidClientTokenId", "The security token included in the request is invalid"),
    ],
)
def test_credentials_that_are_not_accepted_are_read_again(
    code: str, message: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    accepted = ["OLD"]
    endpoint.behaviours["orders-refund"] = lambda got: (
        returned(1) if f"Credential={accepted[0]}/" in got.headers["authorization"] else refused(403, code, message)
    )
    with profile(tmp_path, "OLD") as file:
        clients = signed(endpoint)
        assert called(clients)[1] == 1
        accepted[0] = "NEW"
        file.write_text(keys("NEW"))
        outcome, attempts = called(clients)
        assert (isinstance(outcome, Returned), attempts) == (True, 2)
        assert called(clients)[1] == 1
        accepted[0] = "none"
        outcome, attempts = called(clients)
        assert isinstance(outcome, Refused)
        assert (attempts, (outcome.advice or "").startswith("Tell the operator: ")) == (2, True)


def test_a_read_that_is_refused_for_its_credentials_lets_the_next_one_pass(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    expired = refused(403, "ExpiredTokenException", "expired")
    endpoint.configurations["orders-refund"] = lambda got: (
        Reply(body=b'{"Timeout": 3}') if "Credential=NEW/" in got.headers["authorization"] else expired
    )
    with profile(tmp_path, "OLD") as file:
        clients = signed(endpoint)
        assert isinstance(read_configuration(clients, ref()), Refused)
        assert isinstance(read_configuration(clients, ref()), Refused)
        file.write_text(keys("NEW"))
        assert isinstance(read_configuration(clients, ref()), Configuration)


def test_credentials_that_were_missing_are_read_again(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.behaviours["orders-refund"] = lambda _: returned(1)
    with profile(tmp_path, "OLD", "[profile ops]\nregion = us-east-1\n") as file:
        file.write_text("")
        clients = signed(endpoint)
        outcome, _ = called(clients)
        assert isinstance(outcome, Refused)
        assert outcome.code == "NoCredentialsError"
        assert "`env` in the host's configuration" in (outcome.advice or "")
        file.write_text(keys("NEW"))
        assert isinstance(called(clients)[0], Returned)
    assert len(endpoint.started) == 1


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "InvalidSignatureException",
            "Signature expired: 20260928T174419Z is now earlier than 20260928T174724Z (20260928T175224Z - 5 min.)",
        ),
        (
            "SignatureDoesNotMatch",
            "Signature not yet current: 20260928T180419Z is still later than 20260928T175724Z",
        ),
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
        ("RequestExpired", "Request has expired."),
    ],
)
def test_a_clock_that_is_off_is_said_and_nothing_is_read_again(
    code: str, message: str, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.behaviours["orders-refund"] = lambda _: refused(403, code, message)
    with profile(tmp_path, "OLD"):
        outcome, attempts = called(signed(endpoint))
    assert isinstance(outcome, Refused)
    assert (attempts, "clock" in (outcome.advice or "")) == (1, True)


def test_a_profile_that_is_gone_when_it_is_read_again_leaves_the_refusal(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    expired = refused(403, "ExpiredTokenException", "expired")
    endpoint.behaviours["orders-refund"] = one_after_another(lambda _: returned(1), lambda _: expired)
    with profile(tmp_path, "OLD") as file:
        clients = signed(endpoint)
        called(clients)
        file.write_text("")
        outcome, attempts = called(clients)
    assert isinstance(outcome, Refused)
    assert (outcome.code, attempts) == ("ExpiredTokenException", 1)


def test_of_many_that_are_refused_at_once_one_reads_the_credentials_again(tmp_path: Path) -> None:
    with profile(tmp_path, "OLD"), nobody_listens() as url:
        clients = clients_at(url, target={"profile": "ops"}, sign_requests=True)
        first = clients.for_invoking(ACCOUNT, "us-east-1")
        assert clients.renew(ACCOUNT, "us-east-1", first)
        second = clients.for_invoking(ACCOUNT, "us-east-1")
        assert clients.renew(ACCOUNT, "us-east-1", first)
        assert clients.for_invoking(ACCOUNT, "us-east-1") is second is not first


@pytest.mark.parametrize("role", [False, True], ids=["own", "source of a role"])
def test_a_credential_process_gets_neither_the_servers_stdin_nor_its_terminal(role: bool, tmp_path: Path) -> None:
    script = tmp_path / "process.py"
    script.write_text(
        "import os, sys\n"
        f"open({str(tmp_path / 'seen')!r}, 'w').write(repr((sys.stdin.read(), os.getsid(0) == os.getpid())))\n"
        "sys.exit(1)\n"
    )
    source = f"[profile source]\ncredential_process = {sys.executable} {script}\n"
    arn = f"arn:aws:iam::{ACCOUNT}:role/invoker"
    config = source.replace("source]", "ops]")
    if role:
        config = f"{source}[profile ops]\nrole_arn = {arn}\nsource_profile = source\n"
    with profile(tmp_path, "OLD", config) as file, nobody_listens() as url:
        file.write_text("")
        outcome, _ = called(clients_at(url, target={"profile": "ops"}, sign_requests=True))
    assert isinstance(outcome, Refused)
    assert outcome.code == "CredentialRetrievalError"
    assert "credential process" in (outcome.advice or ""), outcome
    assert (tmp_path / "seen").read_text() == "('', True)"


# What passes, and what does not


def test_the_reason_of_a_throttling_is_shown_and_the_functions_own_limit_is_said() -> None:
    def throttled(reason: str) -> RawOutcome:
        body = f'{{"Type": "User", "message": "Rate Exceeded.", "Reason": "{reason}"}}'
        return said(answer(429, body.encode(), {"x-amzn-ErrorType": "TooManyRequestsException"}))

    own = throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
    assert isinstance(own, Refused)
    assert own.message == "Rate Exceeded. (Reason: ReservedFunctionConcurrentInvocationLimitExceeded)"
    assert (own.retry_sensible, "switched off (0)" in (own.advice or "")) == (True, True)
    for reason in ("ConcurrentInvocationLimitExceeded", "CallerRateLimitExceeded", "<b>"):
        other = throttled(reason)
        assert isinstance(other, Refused)
        assert (other.retry_sensible, other.advice) == (True, None)
        assert (reason in other.message) is (reason != "<b>")


DENIED = "User: x is not authorized to perform: lambda:InvokeFunction on resource: y"
KEY = "Lambda was unable to decrypt the environment variables because KMS access was denied."


@pytest.mark.parametrize(
    ("status", "code", "message", "advice"),
    [
        (403, "AccessDeniedException", "The role defined for the function cannot be assumed by Lambda.", "own role"),
        (400, "InvalidParameterValueException", "The role x defined for the function cannot be assumed.", "own role"),
        (403, "AccessDeniedException", "User: x is not authorized to perform: lambda:InvokeFunction", "iam-policy"),
        (502, "KMSAccessDeniedException", KEY, "set up"),
        (502, "EC2AccessDeniedException", "no", "set up"),
        (502, "SubnetIPAddressLimitReachedException", "no", "set up"),
        (403, "EFSMountFailureException", "no", "set up"),
        (400, "InvalidRequestContent", "Query Parameters are not supported", "SAM's"),
        (403, "AccessDeniedException", f"{DENIED} with an explicit deny in a service control policy", "does not help"),
        (403, "AccessDeniedException", f"{DENIED} because no permissions boundary allows the action", "does not help"),
        (403, "AccessDeniedException", f"{DENIED} because no VPC endpoint policy allows the action", "does not help"),
        (
            403,
            "AccessDeniedException",
            f"{DENIED} because no identity-based policy allows the action",
            "prints the policy",
        ),
        (403, "AccessDeniedException", "Lambda does not have permission to access the ECR image.", "code"),
        (403, "AccessDeniedException", "Your account is currently blocked.", "blocked"),
        (403, "AccessDeniedException", "Unable to determine service/operation name to be authorized", "not Lambda"),
        (403, "OptInRequired", "The AWS Access Key Id needs a subscription for the service", "activated"),
        (400, "RecursiveInvocationException", "recursive loop", "loop"),
        (402, "ServiceQuotaExceededException", "tenants", "quota"),
        (404, "404", "404 page not found", "another server"),
        (501, "501", "Not Implemented", "another server"),
        (404, "ResourceNotFoundException", "Function not found", None),
        (413, "413", "Request Entity Too Large", None),
    ],
)
def test_what_the_operator_has_to_do_is_said(status: int, code: str, message: str, advice: str | None) -> None:
    outcome = said(answer(status, f'{{"message": "{message}"}}'.encode(), {"x-amzn-ErrorType": code}))
    assert isinstance(outcome, Refused)
    assert outcome.retry_sensible is False
    assert (outcome.advice or "").startswith("Tell the operator: " if advice else "")
    assert (advice or "") in (outcome.advice or "")


@pytest.mark.parametrize(
    ("state", "passes"), [("Failed", False), ("'Failed'", False), ("Pending", True), ("'Pending'", True)]
)
def test_a_function_that_failed_to_start_does_not_pass_by_waiting(state: str, passes: bool) -> None:
    message = (
        f"The operation cannot be performed at this time. The function is currently in the following state: {state}"
    )
    body = f'{{"message": "{message}"}}'.encode()
    outcome = said(answer(409, body, {"x-amzn-ErrorType": "ResourceConflictException"}))
    assert isinstance(outcome, Refused)
    assert (outcome.retry_sensible, outcome.advice is None) == (passes, passes)


@pytest.mark.parametrize(
    ("status", "code", "passes"),
    [
        (403, "AccessDenied", False),
        (403, "RegionDisabledException", False),
        (400, "InvalidIdentityToken", False),
        (400, "Throttling", True),
        (429, "TooManyRequestsException", True),
        (503, "ServiceUnavailable", True),
    ],
)
def test_of_what_aws_refuses_a_call_for_credentials_only_the_load_passes(status: int, code: str, passes: bool) -> None:
    error: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    outcome = classify(ClientError(error, "AssumeRole"), "no")
    assert isinstance(outcome, Refused)
    assert (outcome.message, outcome.retry_sensible) == ("AssumeRole: no", passes)
    assert (outcome.advice or "").startswith("" if passes else "Tell the operator: ")


@pytest.mark.parametrize(("status", "passes"), [(407, False), (403, False), (401, False), (429, True), (502, True)])
def test_the_status_of_a_proxy_is_told_and_a_refusal_does_not_pass(status: int, passes: bool) -> None:
    with raw_server(answering(answer(status))) as proxy, environment(HTTPS_PROXY=proxy.url):
        outcome = invoke(clients_at("https://127.0.0.1:9"), ref(), request(), InvocationHandle())
    assert isinstance(outcome, Refused)
    assert (outcome.status_code, outcome.retry_sensible) == (status, passes)
    assert f"the proxy answered {status}" in outcome.message


def test_what_aws_says_of_a_configuration_that_it_does_not_tell_is_kept(endpoint: ScriptedEndpoint) -> None:
    message = "User: arn:aws:iam::1:user/x is not authorized to perform: lambda:GetFunctionConfiguration"
    endpoint.catalog = refused(403, "AccessDeniedException", message)
    found = read_configuration(clients_at(endpoint.url), ref())
    assert isinstance(found, Refused)
    assert (found.code, found.status_code) == ("AccessDeniedException", 403)
    assert found.message == f"GetFunctionConfiguration: {message}"
    assert isinstance(read_configuration(clients_at("http://127.0.0.1:9"), ref()), Refused)


def test_one_call_may_need_both_remedies(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    expired = refused(403, "ExpiredTokenException", "expired")
    endpoint.behaviours["orders-refund"] = one_after_another(no_tail, lambda _: expired, lambda _: returned(1))
    with profile(tmp_path, "OLD"):
        outcome, attempts = called(signed(endpoint))
    assert (isinstance(outcome, Returned), attempts) == (True, 3)
