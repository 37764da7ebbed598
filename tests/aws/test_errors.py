from __future__ import annotations

import itertools
import string
from collections.abc import Mapping
from typing import Any, Final, get_args

import botocore.exceptions
import botocore.session
import pytest
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, SSLError
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.aws.advice import advice_for
from lambda_warden.aws.errors import LATER, MAY_HAVE_RUN, NEVER_AS_IS, classify
from lambda_warden.aws.invocation_handle import GivenUpError, Reason, Sent
from lambda_warden.model.outcome import Refused, Unknown

SERVICE: Final[Any] = botocore.session.get_session().get_service_model("lambda")
OPERATIONS: Final = ("Invoke", "InvokeWithResponseStream")
STATUSES: Final[dict[str, int]] = {
    shape.name: shape.metadata["error"]["httpStatusCode"]
    for operation in OPERATIONS
    for shape in SERVICE.operation_model(operation).error_shapes
}
EVENTS: Final[Mapping[str, Any]] = SERVICE.operation_model("InvokeWithResponseStream").get_event_stream_output().members
LEFT: Final[list[Sent]] = ["whole", "untracked"]
NOT_LEFT: Final[list[Sent]] = ["no", "partly"]
REFUSED_STATUSES: Final = (400, 401, 402, 403, 404, 405, 407, 409, 413, 415, 429, 501)

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


def test_every_error_of_the_model_is_decided_on_exactly_once() -> None:
    """The tables may know errors of a newer botocore than the installed one, and never the other way round."""
    decided = [*LATER, *NEVER_AS_IS, *MAY_HAVE_RUN]
    assert len(decided) == len(set(decided))
    assert set(STATUSES) - set(decided) == set()


def test_the_events_of_a_stream_are_those_that_are_read() -> None:
    """One that a later botocore brings, exception or not, has to be decided on: see `aws/invoke.py`."""
    assert set(EVENTS) == {"PayloadChunk", "InvokeComplete"}
    assert not any(shape.metadata.get("exception") for shape in EVENTS.values())


def test_the_parameters_of_both_operations_are_those_that_were_decided_on() -> None:
    """One that a later botocore brings may be another way to say that a call must not be repeated."""
    known = {"FunctionName", "InvocationType", "LogType", "ClientContext", "Qualifier", "Payload", "TenantId"}
    shapes = {name: set(SERVICE.operation_model(name).input_shape.members) for name in OPERATIONS}
    assert shapes == {"Invoke": {*known, "DurableExecutionName"}, "InvokeWithResponseStream": known}


# Answers


@pytest.mark.parametrize("code", sorted(STATUSES))
def test_each_error_of_the_model_is_classified_by_its_name_and_keeps_its_details(code: str) -> None:
    status = STATUSES[code]
    for operation, sent in itertools.product(OPERATIONS, LEFT):
        outcome = classify(answered(code, status, operation), sent)

        if code in MAY_HAVE_RUN:
            assert outcome == Unknown(code, "because", status, "r-1")
        else:
            advice = None if code in LATER else advice_for(code, "because")
            assert outcome == Refused(code, "because", status, "r-1", retry_sensible=code in LATER, advice=advice)


@pytest.mark.parametrize(
    "code", ["ServiceException", "EFSIOException", "SnapStartException", "SnapStartTimeoutException"]
)
@pytest.mark.parametrize("status", [400, 410, 429, 500, None])
def test_an_error_that_running_code_may_cause_is_unknown_whatever_the_status(code: str, status: int | None) -> None:
    assert isinstance(classify(answered(code, status), "whole"), Unknown)


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ResourceNotReadyException", "EC2ThrottledException"])
def test_a_refusal_that_passes_says_that_a_retry_is_sensible(code: str) -> None:
    outcome = classify(answered(code, STATUSES[code]), "whole")

    assert isinstance(outcome, Refused)
    assert outcome.retry_sensible


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "RequestTooLargeException", "KMSDisabledException"])
@pytest.mark.parametrize("sent", ["whole", "partly"])
def test_a_refusal_that_stays_says_that_a_retry_is_not_sensible(code: str, sent: Sent) -> None:
    outcome = classify(answered(code, STATUSES[code]), sent)

    assert isinstance(outcome, Refused)
    assert not outcome.retry_sensible


@pytest.mark.parametrize("status", REFUSED_STATUSES)
def test_an_error_of_another_name_is_refused_on_the_statuses_that_lambda_gives_before_running(status: int) -> None:
    outcome = classify(answered("AccessDeniedException", status), "whole")

    assert outcome == Refused("AccessDeniedException", "because", status, "r-1", retry_sensible=status == 429)


@pytest.mark.parametrize("sent", LEFT)
def test_an_error_of_another_name_is_unknown_on_every_other_status(sent: Sent) -> None:
    for status in {None, *range(100, 600)} - set(REFUSED_STATUSES):
        assert classify(answered("NobodyKnowsException", status), sent) == Unknown(
            "NobodyKnowsException", "because", status, "r-1"
        )


@pytest.mark.parametrize("code", ["ServiceException", "SnapStartException", "NobodyKnowsException"])
@pytest.mark.parametrize("status", [500, 503, 400])
def test_an_answer_that_came_before_the_request_had_left_says_that_nothing_ran(code: str, status: int) -> None:
    outcome = classify(answered(code, status), "partly")

    assert outcome == Refused(code, "because", status, "r-1", retry_sensible=status != 400)


@pytest.mark.parametrize("sent", get_args(Sent))
@pytest.mark.parametrize("operation", ["AssumeRole", "AssumeRoleWithWebIdentity", "GetRoleCredentials"])
@pytest.mark.parametrize("status", [403, 429, 500, None])
def test_an_error_of_the_call_for_credentials_proves_that_invoke_was_not_sent(
    operation: str, status: int | None, sent: Sent
) -> None:
    outcome = classify(answered("ServiceException", status, operation), sent)

    assert isinstance(outcome, Refused)
    assert operation in outcome.message


def test_an_answer_without_any_detail_is_unknown() -> None:
    empty: Any = {}

    assert classify(ClientError(empty, "Invoke"), "whole") == Unknown("unknown", "")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        ("604800", 86_400.0),
        ("9" * 400, 86_400.0),
        (None, None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("٣", None),
        ("Wed, 25 Nov 2026 07:28:00 GMT", None),
    ],
)
def test_a_retry_after_is_given_in_seconds_and_nothing_else_is_taken_for_one(
    header: str | None, seconds: float | None
) -> None:
    error = answered("TooManyRequestsException", 429)
    error.response["ResponseMetadata"]["HTTPHeaders"] = {} if header is None else {"retry-after": header}
    outcome = classify(error, "whole")

    assert isinstance(outcome, Refused)
    assert outcome.retry_after_seconds == seconds


def test_a_refusal_that_stays_names_no_time() -> None:
    error = answered("ResourceNotFoundException", 404)
    error.response["ResponseMetadata"]["HTTPHeaders"] = {"retry-after": "7"}
    outcome = classify(error, "whole")

    assert isinstance(outcome, Refused)
    assert outcome.retry_after_seconds is None


# No answer: what counts is how much has left


@pytest.mark.parametrize("sent", LEFT)
def test_whatever_broke_after_the_request_left_is_unknown(sent: Sent) -> None:
    for kind in BOTOCORE_ERRORS:
        outcome = classify(raised(kind), sent)

        assert isinstance(outcome, Unknown), kind
        assert outcome.code == kind.__name__


@pytest.mark.parametrize("sent", NOT_LEFT)
def test_whatever_broke_before_the_request_left_whole_is_refused(sent: Sent) -> None:
    for kind in BOTOCORE_ERRORS:
        outcome = classify(raised(kind), sent)

        assert isinstance(outcome, Refused), kind
        assert outcome.code == kind.__name__
        assert outcome.message


@pytest.mark.parametrize(
    ("name", "retry_sensible"),
    [
        ("EndpointConnectionError", True),
        ("ConnectTimeoutError", True),
        ("ConnectionClosedError", True),
        ("ReadTimeoutError", True),
        ("ProxyConnectionError", True),
        ("SSLError", True),
        ("HTTPClientError", True),
        ("NoCredentialsError", False),
        ("ParamValidationError", False),
        ("ProfileNotFound", False),
        ("UnauthorizedSSOTokenError", False),
    ],
)
def test_failures_of_the_connection_pass_and_others_stay(name: str, retry_sensible: bool) -> None:
    outcome = classify(raised(getattr(botocore.exceptions, name)), "partly")

    assert isinstance(outcome, Refused)
    assert outcome.retry_sensible == retry_sensible


def test_a_certificate_that_was_not_accepted_stays_and_other_tls_errors_pass() -> None:
    rejected = raised(SSLError, error="[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate (_ssl.c:1006)")
    broken = raised(SSLError, error="[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC] (_ssl.c:2580)")

    stays, passes = classify(rejected, "partly"), classify(broken, "partly")
    assert isinstance(stays, Refused)
    assert isinstance(passes, Refused)
    assert (stays.retry_sensible, passes.retry_sensible) == (False, True)
    assert (stays.advice or "").startswith("Tell the operator: the endpoint's certificate is not trusted.")
    assert (passes.advice or "").startswith("If it stays, tell the operator: ")
    assert classify(rejected, "whole") == Unknown("SSLError", str(rejected))


@pytest.mark.parametrize("sent", LEFT)
def test_an_unforeseen_error_is_unknown_and_keeps_its_text_to_itself(sent: Sent) -> None:
    assert classify(KeyError("/home/operator/.aws/credentials"), sent) == Unknown("KeyError", "unexpected KeyError")


@pytest.mark.parametrize("sent", NOT_LEFT)
def test_an_unforeseen_error_before_sending_is_refused_for_good_and_keeps_its_text_to_itself(sent: Sent) -> None:
    outcome = classify(KeyError("/home/operator/.aws/credentials"), sent)
    assert isinstance(outcome, Refused)
    assert (outcome.message, outcome.retry_sensible) == ("unexpected KeyError", False)
    assert (outcome.advice or "").startswith("Tell the operator: an error on the machine of lambda-warden")


@pytest.mark.parametrize("error", [GivenUpError(), raised(HTTPClientError, error="x"), KeyError("x")], ids=repr)
@pytest.mark.parametrize(
    ("reason", "code"), [("cancelled", "Cancelled"), ("deadline", "DeadlineExceeded"), ("shutdown", "Shutdown")]
)
@pytest.mark.parametrize("sent", get_args(Sent))
def test_a_call_that_was_given_up_says_so_whatever_was_raised(
    error: Exception, reason: Reason, code: str, sent: Sent
) -> None:
    outcome = classify(error, sent, reason)

    assert outcome.code == code
    assert isinstance(outcome, Unknown) == (sent in LEFT)
    if isinstance(outcome, Refused):
        assert outcome.message.endswith(", before the call was sent")
        assert outcome.retry_sensible == (reason != "cancelled")


@pytest.mark.parametrize("reason", get_args(Reason))
def test_an_answer_that_came_counts_although_the_call_was_given_up(reason: Reason) -> None:
    outcome = classify(answered("TooManyRequestsException", 429), "whole", reason)

    assert outcome == Refused("TooManyRequestsException", "because", 429, "r-1", retry_sensible=True)


@given(
    st.sampled_from(
        [Exception, ValueError, OSError, TimeoutError, ConnectionRefusedError, BotoCoreError, HTTPClientError]
    ),
    st.sampled_from(sorted({*LATER, *NEVER_AS_IS, "EndpointConnectionError", "NoCredentialsError"}))
    | st.from_regex(r"[A-Z][A-Za-z]{0,20}", fullmatch=True),
    st.text(),
    st.sampled_from(get_args(Sent)),
)
def test_what_an_exception_is_called_proves_nothing(base: type[Exception], name: str, text: str, sent: Sent) -> None:
    kind: Any = type(name, (base,), {"fmt": "{error}"})

    outcome = classify(kind(error=text) if issubclass(base, BotoCoreError) else kind(text), sent)
    assert isinstance(outcome, Unknown if sent in LEFT else Refused)
    assert outcome.code == name
    outcome.message.encode()


@given(
    st.text() | st.sampled_from(sorted({*LATER, *NEVER_AS_IS, *MAY_HAVE_RUN})),
    st.none() | st.integers(0, 999),
    st.sampled_from(OPERATIONS),
    st.sampled_from(LEFT),
)
def test_nothing_is_tried_again_that_may_have_run(code: str, status: int | None, operation: str, sent: Sent) -> None:
    outcome = classify(answered(code, status, operation), sent)

    if isinstance(outcome, Refused):
        assert code not in MAY_HAVE_RUN
        assert code in {*LATER, *NEVER_AS_IS} or status in REFUSED_STATUSES
        assert outcome.retry_sensible == (code in LATER or status == 429)


@pytest.mark.parametrize("message", [None, ["a"], "\ud800", 7], ids=["null", "array", "lone surrogate", "number"])
def test_whatever_stands_in_the_body_of_an_error_becomes_text_that_can_be_encoded(message: Any) -> None:
    error = answered("TooManyRequestsException", 429)
    error.response["Error"]["Message"] = message
    outcome = classify(error, "whole")
    assert isinstance(outcome, Refused)
    outcome.message.encode()


@pytest.mark.parametrize("code", [7, "a b", "x\nNext: do", None, "c" * 300], ids=ascii)
def test_a_code_that_does_not_look_like_one_is_unknown_and_so_is_the_outcome(code: Any) -> None:
    error = answered("ServiceException", 500)
    error.response["Error"]["Code"] = code
    error.response["ResponseMetadata"]["RequestId"] = "r-1\nNext: do"
    assert classify(error, "whole") == Unknown("unknown", "because", 500, None)
