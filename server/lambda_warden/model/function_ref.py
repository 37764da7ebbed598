"""The names of Lambda functions: what people may write, and the one canonical form.

Sources: the Lambda API reference, `Invoke` (FunctionName, Qualifier), "Using Lambda alias ARNs", and the
partitions and region patterns of botocore's `partitions.json` (a test holds ours against the installed one).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lambda_warden.errors import ArgumentError, shown

LATEST: Final = "$LATEST"
"""The unpublished version. AWS runs it for an unqualified name, so unqualified and `$LATEST` are one thing."""

NAME_LIMIT: Final = 64
QUALIFIER_LIMIT: Final = 128
SPELLING_LIMIT: Final = 256

PARTITIONS: Final[dict[str, re.Pattern[str]]] = {
    "aws": re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+", re.ASCII),
    "aws-cn": re.compile(r"cn-\w+-\d+", re.ASCII),
    "aws-eusc": re.compile(r"eusc-(de)-\w+-\d+", re.ASCII),
    "aws-iso": re.compile(r"us-iso-\w+-\d+", re.ASCII),
    "aws-iso-b": re.compile(r"us-isob-\w+-\d+", re.ASCII),
    "aws-iso-e": re.compile(r"eu-isoe-\w+-\d+", re.ASCII),
    "aws-iso-f": re.compile(r"us-isof-\w+-\d+", re.ASCII),
    "aws-us-gov": re.compile(r"us-gov-\w+-\d+", re.ASCII),
}
"""Every AWS partition, with the pattern that its regions' names match whole."""

_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)
_VERSION = re.compile(r"[0-9]+", re.ASCII)
_ALIAS = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)

FORMS: Final = (
    "a function name (orders-refund), a partial ARN (123456789012:function:orders-refund) or a full ARN "
    "(arn:aws:lambda:us-east-1:123456789012:function:orders-refund), each optionally followed by "
    ":ALIAS or :VERSION"
)
_QUALIFIER_FORMS: Final = "an alias (live), a version number (7) or $LATEST"
_ARN_FORM: Final = "the ARN of a function, which Invoke takes: arn:…:function:NAME[:QUALIFIER]"
# What else Lambda's ARNs name, by the word that stands where a function's ARN has `function` (botocore's models lambda,
# lambda-core, lambda-microvms and lambda-web).
_OTHER_KINDS: Final = {
    "web-function": "of a web function, which answers HTTP requests at its own endpoint and can't be invoked",
    "microvm": "of a MicroVM, which is run and reached at its own endpoint and can't be invoked",
    "microvm-image": "of an image of MicroVMs, which are run and can't be invoked",
    "layer": "of a layer",
    "capacity-provider": "of a capacity provider",
    "network-connector": "of a network connector",
    "event-source-mapping": "of an event source mapping",
    "code-signing-config": "of a code signing configuration",
}


@dataclass(frozen=True, slots=True, order=True)
class FunctionRef:
    """The canonical reference: every decision is made on it, and exactly it is sent to AWS."""

    partition: str
    region: str
    account: str
    name: str
    qualifier: str

    @property
    def function_arn(self) -> str:
        """The ARN without qualifier."""
        return f"arn:{self.partition}:lambda:{self.region}:{self.account}:function:{self.name}"

    @property
    def qualified_arn(self) -> str:
        """The ARN with qualifier: the resource that IAM checks for this invocation."""
        return f"{self.function_arn}:{self.qualifier}"


@dataclass(frozen=True, slots=True)
class FunctionSpelling:
    """What one spelling of a function says, and `None` for what it leaves open."""

    name: str
    partition: str | None = None
    region: str | None = None
    account: str | None = None
    qualifier: str | None = None


def partition_of(region: str) -> str | None:
    """The partition that a region's name belongs to, or None if it fits no partition."""
    return next((name for name, pattern in PARTITIONS.items() if pattern.fullmatch(region)), None)


def is_account(text: str) -> bool:
    """Whether the text is an AWS account id: exactly 12 ASCII digits."""
    return _ACCOUNT.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether the text is a function's name: 1 to 64 ASCII letters, digits, hyphens and underscores."""
    return len(text) <= NAME_LIMIT and _NAME.fullmatch(text) is not None


def parse_qualifier(text: str, argument: str = "qualifier") -> str:
    """Check one qualifier and return it unchanged.

    Args:
        text: an alias, a version number, `$LATEST` or `$LATEST.PUBLISHED`.
        argument: the name to use in an error.

    Raises:
        ArgumentError: if it is none of these, or longer than 128 characters.
    """
    if len(text) > QUALIFIER_LIMIT:
        raise ArgumentError(argument, f"is {len(text)} characters long", f"at most {QUALIFIER_LIMIT} characters")
    if text in (LATEST, "$LATEST.PUBLISHED"):
        return text
    if _VERSION.fullmatch(text):
        if text.startswith("0"):
            raise ArgumentError(
                argument, f"{text!r} is not how a version is written", "a version number without leading zeros"
            )
        return text
    if _ALIAS.fullmatch(text):
        return text
    raise ArgumentError(argument, f"{shown(text)} is not a qualifier", _QUALIFIER_FORMS)


def parse_function(text: str, argument: str = "function") -> FunctionSpelling:
    """Read one spelling of a function, strictly: nothing is trimmed, folded or guessed.

    The three formats of the Lambda API are read, each with an optional alias or version. What the API's own
    pattern lets through besides (`function:NAME`, `ACCOUNT:NAME`) can be read in two ways and is an error.

    Raises:
        ArgumentError: naming what is wrong and the right form.

    >>> parse_function("orders:live")
    FunctionSpelling(name='orders', partition=None, region=None, account=None, qualifier='live')
    >>> parse_function("arn:aws:lambda:us-east-1:123456789012:function:orders").region
    'us-east-1'
    """
    if len(text) > SPELLING_LIMIT:
        raise ArgumentError(argument, f"is {len(text)} characters long", f"at most {SPELLING_LIMIT} characters")
    if not text.isascii() or any(c.isspace() or not c.isprintable() for c in text):
        raise ArgumentError(argument, f"{shown(text)} has a character that no function name has", FORMS)
    parts = text.split(":")
    if parts[0].lower() == "arn":
        return _parse_arn(text, parts, argument)
    match parts:
        case [name]:
            return FunctionSpelling(_name(name, argument))
        case ["function", _]:
            raise ArgumentError(argument, f"{shown(text)} can be read in two ways", FORMS)
        case [name, qualifier]:
            if is_account(name):
                raise ArgumentError(argument, f"{shown(text)} can be read in two ways", FORMS)
            return FunctionSpelling(_name(name, argument), qualifier=parse_qualifier(qualifier, argument))
        case [account, "function", name, *rest] if len(rest) <= 1:
            return FunctionSpelling(
                _name(name, argument),
                account=_account(account, argument),
                qualifier=parse_qualifier(rest[0], argument) if rest else None,
            )
        case _:
            raise ArgumentError(argument, f"{shown(text)} is in none of the formats", FORMS)


def parse_arn_prefix(partition: str, service: str, region: str, account: str, argument: str) -> None:
    """Check the fields of a Lambda function ARN that stand before the resource.

    Raises:
        ArgumentError: for an unknown partition or region, another service, or an account that is none.
    """
    pattern = PARTITIONS.get(partition)
    if pattern is None:
        raise ArgumentError(argument, f"unknown partition {shown(partition)}", f"one of {', '.join(PARTITIONS)}")
    if service != "lambda":
        raise ArgumentError(argument, f"the ARN is of the service {shown(service)}", "an ARN of the service 'lambda'")
    if not pattern.fullmatch(region):
        raise ArgumentError(
            argument, f"unknown region {shown(region)} in partition {partition!r}", "a region of that partition"
        )
    _account(account, argument)


def check_arn_kind(text: str, argument: str) -> None:
    """Refuse an ARN of Lambda that names something other than a function by what it is. Other text passes.

    Raises:
        ArgumentError: naming the kind, and what would be right.
    """
    match text.split(":", 5):
        case ["arn", _, "lambda", _, _, resource]:
            kind = _OTHER_KINDS.get(re.split("[:/]", resource, maxsplit=1)[0])
            if resource.startswith("function:") and "/durable-execution/" in resource:
                kind = "of a durable execution, which read_result follows by the invocation_id that started it"
            if kind is not None:
                raise ArgumentError(argument, f"{shown(text)} is the ARN {kind}", _ARN_FORM)


def _parse_arn(text: str, parts: list[str], argument: str) -> FunctionSpelling:
    check_arn_kind(text, argument)
    match parts:
        case ["arn", partition, service, region, account, resource, *rest]:
            parse_arn_prefix(partition, service, region, account, argument)
            if resource != "function" or not 1 <= len(rest) <= 2:
                raise ArgumentError(
                    argument, f"{shown(text)} is not the ARN of a function", "arn:…:function:NAME[:QUALIFIER]"
                )
            return FunctionSpelling(
                _name(rest[0], argument),
                partition=partition,
                region=region,
                account=account,
                qualifier=parse_qualifier(rest[1], argument) if len(rest) == 2 else None,
            )
        case _:
            raise ArgumentError(argument, f"{shown(text)} is a malformed ARN", FORMS)


def _name(text: str, argument: str) -> str:
    if len(text) > NAME_LIMIT:
        raise ArgumentError(
            argument, f"the function name is {len(text)} characters long", f"at most {NAME_LIMIT} characters"
        )
    if not _NAME.fullmatch(text):
        raise ArgumentError(argument, f"{shown(text)} is not a function name", FORMS)
    return text


def _account(text: str, argument: str) -> str:
    if not is_account(text):
        raise ArgumentError(argument, f"{shown(text)} is not an AWS account id", "12 digits")
    return text
