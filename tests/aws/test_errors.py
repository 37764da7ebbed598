from __future__ import annotations

import string
from typing import Any, Final

import botocore.exceptions
import botocore.session
import pytest
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, SSLError
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.aws.errors import LATER, MAY_HAVE_RUN, NEVER_AS_IS, classify
from lambda_warden.model.outcome import Refused, Unknown

OPERATION: Final = botocore.session.get_session().get_service_model("lambda").operation_model("Invoke")
STATUSES: Final[dict[str, int]] = {
    shape.name: shape.metadata["error"]["httpStatusCode"] for shape in OPERATION.error_shapes
}

NOT_SENT: Final = {
    "ConnectTimeoutError",
    "CredentialRetrievalError",
    "EndpointConnectionError",
    "InvalidConfigError",
    "NoCredentialsError",
    "NoRegionError",
    "ParamValidationError",
    "PartialCredentialsError",
    "ProfileNotFound",
    "SSOError",
    "TokenRetrievalError",
}
"""botocore's exceptions, and with them their subclasses, that show that no request left."""

BOTOCORE_ERRORS: Final = sorted(
    (
        found
        for found in vars(botocore.exceptions).values()
        if isinstance(found, type) and issubclass(found, BotoCoreError) and found.__module__ == "botocore.exceptions"
    ),
    key=lambda found: found.__name__,
)


def answered(code: str, status: int | None, operation: str = "Invoke") -> ClientError:
    metadata = {"RequestId": "r-1"} if status is None else {"RequestId": "r-1", "HTTPStatusCode": status}
    response: Any = {"Error": {"Code": code, "Message": "because"}, "ResponseMetadata": metadata}
    return ClientError(response, operation)


def raised(kind: type[BotoCoreError], **details: object) -> BotoCoreError:
    """One of botocore's exceptions, with whatever its message and its signature want to hear."""
    wanted = {name: "x" for _, name, _, _ in string.Formatter().parse(kind.fmt) if name}
    return kind(**{"last_response": {}, **wanted, **details})


def is_sent(kind: type[BaseException]) -> bool:
    return not any(base.__name__ in NOT_SENT for base in kind.__mro__ if base.__module__ == "botocore.exceptions")


def test_every_error_of_invoke_is_decided_on_exactly_once() -> None:
    """The tables may know errors of a newer botocore than the installed one, and never the other way round."""
    decided = [*LATER, *NEVER_AS_IS, *MAY_HAVE_RUN]
    assert len(decided) == len(set(decided))
    assert set(STATUSES) - set(decided) == set()


@pytest.mark.parametrize("code", sorted(STATUSES))
def test_each_error_of_invoke_is_classified_by_its_name_and_keeps_its_details(code: str) -> None:
    status = STATUSES[code]
    outcome = classify(answered(code, status))

    if code in MAY_HAVE_RUN:
        assert outcome == Unknown(code, "because", status, "r-1")
    else:
        assert outcome == Refused(code, "because", status, "r-1", retry_sensible=code in LATER)


@pytest.mark.parametrize(
    "code", ["ServiceException", "EFSIOException", "SnapStartException", "SnapStartTimeoutException"]
)
@pytest.mark.parametrize("status", [400, 410, 429, 500, None])
def test_an_error_that_running_code_may_cause_is_unknown_whatever_the_status(code: str, status: int | None) -> None:
    assert isinstance(classify(answered(code, status)), Unknown)


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ResourceNotReadyException", "EC2ThrottledException"])
def test_a_refusal_that_passes_says_that_a_retry_is_sensible(code: str) -> None:
    outcome = classify(answered(code, STATUSES[code]))

    assert isinstance(outcome, Refused)
    assert outcome.retry_sensible


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "RequestTooLargeException", "KMSDisabledException"])
def test_a_refusal_that_stays_says_that_a_retry_is_not_sensible(code: str) -> None:
    outcome = classify(answered(code, STATUSES[code]))

    assert isinstance(outcome, Refused)
    assert not outcome.retry_sensible


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 415, 429])
def test_an_error_of_another_name_is_refused_on_the_statuses_that_lambda_gives_before_running(status: int) -> None:
    outcome = classify(answered("AccessDeniedException", status))

    assert outcome == Refused("AccessDeniedException", "because", status, "r-1", retry_sensible=status == 429)


@pytest.mark.parametrize("status", [None, 200, 302, 408, 499, 500, 502, 503, 504, 599])
def test_an_error_of_another_name_is_unknown_on_every_other_status(status: int | None) -> None:
    assert classify(answered("NobodyKnowsException", status)) == Unknown(
        "NobodyKnowsException", "because", status, "r-1"
    )


@pytest.mark.parametrize("operation", ["AssumeRole", "AssumeRoleWithWebIdentity", "GetRoleCredentials"])
@pytest.mark.parametrize("status", [403, 429, 500, None])
def test_an_error_of_the_call_for_credentials_proves_that_invoke_was_not_sent(
    operation: str, status: int | None
) -> None:
    outcome = classify(answered("ServiceException", status, operation))

    assert isinstance(outcome, Refused)
    assert operation in outcome.message


def test_an_answer_without_any_detail_is_unknown() -> None:
    empty: Any = {}

    assert classify(ClientError(empty, "Invoke")) == Unknown("unknown", "")


@pytest.mark.parametrize("kind", BOTOCORE_ERRORS, ids=lambda kind: kind.__name__)
def test_botocore_s_own_errors_are_refused_only_where_nothing_was_sent(kind: type[BotoCoreError]) -> None:
    outcome = classify(raised(kind))

    assert isinstance(outcome, Unknown if is_sent(kind) else Refused)
    assert outcome.code == kind.__name__


@pytest.mark.parametrize(
    "name",
    [
        "ReadTimeoutError",
        "ConnectionClosedError",
        "ResponseStreamingError",
        "HTTPClientError",
        "ConnectionError",
        "IncompleteReadError",
        "ProxyConnectionError",
        "SSLError",
    ],
)
def test_a_connection_that_broke_after_sending_leaves_it_unknown(name: str) -> None:
    assert isinstance(classify(raised(getattr(botocore.exceptions, name))), Unknown)


@pytest.mark.parametrize(
    ("name", "retry_sensible"),
    [
        ("EndpointConnectionError", True),
        ("ConnectTimeoutError", True),
        ("NoCredentialsError", False),
        ("ParamValidationError", False),
        ("ProfileNotFound", False),
        ("UnauthorizedSSOTokenError", False),
    ],
)
def test_what_kept_a_request_from_leaving_is_refused(name: str, retry_sensible: bool) -> None:
    outcome = classify(raised(getattr(botocore.exceptions, name)))

    assert isinstance(outcome, Refused)
    assert outcome.retry_sensible == retry_sensible
    assert outcome.message


def test_a_certificate_that_was_not_accepted_is_refused_and_other_tls_errors_are_unknown() -> None:
    rejected = raised(SSLError, error="[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate (_ssl.c:1006)")
    broken = raised(SSLError, error="[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC] (_ssl.c:2580)")

    assert classify(rejected) == Refused("SSLError", str(rejected))
    assert classify(broken) == Unknown("SSLError", str(broken))


def test_the_words_of_a_certificate_error_prove_nothing_in_another_error() -> None:
    assert isinstance(classify(raised(HTTPClientError, error="CERTIFICATE_VERIFY_FAILED")), Unknown)


def test_an_unforeseen_error_is_unknown_and_keeps_its_text_to_itself() -> None:
    outcome = classify(KeyError("/home/operator/.aws/credentials"))

    assert outcome == Unknown("KeyError", "unexpected KeyError")


@given(
    st.sampled_from(
        [Exception, ValueError, OSError, TimeoutError, ConnectionRefusedError, BotoCoreError, HTTPClientError]
    ),
    st.sampled_from(sorted({*NOT_SENT, *LATER, *NEVER_AS_IS})) | st.from_regex(r"[A-Z][A-Za-z]{0,20}", fullmatch=True),
    st.text(),
)
def test_an_exception_that_the_table_does_not_know_is_unknown_however_it_is_called(
    base: type[Exception], name: str, text: str
) -> None:
    kind: Any = type(name, (base,), {"fmt": "{error}"})

    outcome = classify(kind(error=text) if issubclass(base, BotoCoreError) else kind(text))
    assert isinstance(outcome, Unknown)
    assert outcome.code == name


@pytest.mark.parametrize("message", [None, ["a"], "\ud800", 7], ids=["null", "array", "lone surrogate", "number"])
def test_whatever_stands_in_the_body_of_an_error_becomes_text_that_can_be_encoded(message: Any) -> None:
    error = answered("TooManyRequestsException", 429)
    error.response["Error"]["Message"] = message
    outcome = classify(error)
    assert isinstance(outcome, Refused)
    outcome.message.encode()


@pytest.mark.parametrize("code", [7, "a b", "x\nNext: do", None, "c" * 300], ids=ascii)
def test_a_code_that_does_not_look_like_one_is_unknown_and_so_is_the_outcome(code: Any) -> None:
    error = answered("ServiceException", 500)
    error.response["Error"]["Code"] = code
    error.response["ResponseMetadata"]["RequestId"] = "r-1\nNext: do"
    assert classify(error) == Unknown("unknown", "because", 500, None)
