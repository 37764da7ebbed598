"""All requests to AWS, one method each. Importing this loads boto3, which makes a start half as long again.

So this module is imported late, by `policy.py` alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from lambda_warden.aws.alias import read_alias
from lambda_warden.aws.catalog import describe, list_functions
from lambda_warden.aws.clients import Clients
from lambda_warden.aws.configuration import Configuration, read_configuration
from lambda_warden.aws.durable import read_execution
from lambda_warden.aws.identity import AwsIdentity, read_identity
from lambda_warden.aws.invocation_handle import InvocationHandle
from lambda_warden.aws.invoke import invoke
from lambda_warden.aws.logs import Events, find_failures, find_request, read_stream
from lambda_warden.model.durable_execution import DurableExecution
from lambda_warden.model.function_info import FunctionDetails, FunctionList
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.log_event import Span
from lambda_warden.model.outcome import RawOutcome, Refused
from lambda_warden.model.request import EncodedRequest
from lambda_warden.model.target import Target
from lambda_warden.settings import Settings


class Aws:
    """The AWS accounts and regions of the manifest's targets. Each method blocks, and is safe to use from any thread.

    What a method gives where AWS does not answer stands at the function that it is named after.

    Raises:
        SettingsError: if a profile does not exist or an AWS config file can't be read.
    """

    def __init__(self, settings: Settings, targets: Iterable[Target]) -> None:
        self.clients = Clients(settings, targets)

    def invoke(self, ref: FunctionRef, request: EncodedRequest, handle: InvocationHandle) -> RawOutcome:
        """Invoke a function: one attempt."""
        return invoke(self.clients, ref, request, handle)

    def read_alias(self, ref: FunctionRef) -> frozenset[str] | str:
        """The versions that an alias leads to (GetAlias)."""
        return read_alias(self.clients, ref)

    def read_configuration(self, ref: FunctionRef) -> Configuration | Refused:
        """How a function is configured (GetFunctionConfiguration)."""
        return read_configuration(self.clients, ref)

    def read_identity(self, account: str, region: str) -> AwsIdentity:
        """Whose credentials a target is reached with (GetCallerIdentity)."""
        return read_identity(self.clients, account, region)

    def read_execution(self, ref: FunctionRef, execution_arn: str) -> DurableExecution | Refused:
        """How a durable execution is doing (GetDurableExecution)."""
        return read_execution(self.clients, ref, execution_arn)

    def list_functions(self, account: str, region: str) -> FunctionList:
        """The functions that there are (ListFunctions)."""
        return list_functions(self.clients, account, region)

    def describe(self, account: str, region: str, function_arn: str, qualifier: str) -> FunctionDetails:
        """The aliases, versions and state of a function."""
        return describe(self.clients, account, region, function_arn, qualifier)

    def find_request(
        self, ref: FunctionRef, log_group: str, request_id: str, span: Span, deadline: float
    ) -> Events | Refused:
        """Search a log group for a request id (FilterLogEvents)."""
        return find_request(self.clients, ref, log_group, request_id, span, deadline)

    def find_failures(self, ref: FunctionRef, log_group: str, span: Span, deadline: float) -> Events | Refused:
        """Search a log group for events that may tell of failures (FilterLogEvents)."""
        return find_failures(self.clients, ref, log_group, span, deadline)

    def read_stream(
        self, ref: FunctionRef, log_group: str, stream: str, span: Span, deadline: float
    ) -> Events | Refused:
        """Read a log stream (GetLogEvents)."""
        return read_stream(self.clients, ref, log_group, stream, span, deadline)
