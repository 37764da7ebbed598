"""Lambda as the endpoint plays it: a request → what is to be done on its connection, with the ledger kept."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import itertools
import json
import resource
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from support.event_stream import complete
from support.faulty.ledger import NOTHING, Entry, Ledger
from support.faulty.message import (
    ANSWER_LIMIT,
    ASYNCHRONOUS_LIMIT,
    CONTEXT_LIMIT,
    FUNCTION_ERROR,
    SYNCHRONOUS_LIMIT,
    TOO_LARGE,
    Answer,
    Filler,
    Request,
    error,
    log_tail,
    told,
)
from support.faulty.plan import (
    BEFORE_BODY,
    FAULTS,
    OF_CONNECTIONS,
    STREAM_WEIGHTS,
    WEIGHTS,
    Plan,
    PlanError,
    change,
    checked_weights,
    draw,
    draw_version,
    parse_name,
)

_ACCOUNT = "arn:aws:lambda:us-east-1:123456789012:function:"
_DEFAULT_CHUNK = 65_536


@dataclass(slots=True)
class Action:
    """What is to be done on a connection.

    Attributes:
        answer: what is answered, as far as the manner lets it be.
        manner: a fault's name; "ok" also for every answer that is sent as it is.
        argument: the fault's number.
        wait_ms: how long the function runs before.
        chunk: bytes of a piece; 0 for the manner's own choice.
        ending: the frame that ends a stream; None for an answer that is no stream.
        entry: the call's, to say how it was answered.
    """

    answer: Answer
    manner: str = "ok"
    argument: int = 0
    wait_ms: int = 0
    chunk: int = 0
    ending: bytes | None = None
    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class _Execution:
    """A durable execution. One name starts a function once ("DurableExecutionName" in the API reference of Invoke)."""

    name: str
    arn: str


@dataclass(slots=True)
class Counts:
    """Connections made since the last reset, but for the control listener's, and how many of them are open."""

    connections: int = 0
    open: int = 0
    most_open: int = 0
    requests: int = 0


@dataclass(slots=True)
class LambdaService:
    """Behaviours, ledger and draws of one endpoint. `urls` are those of its listeners."""

    seed: int
    urls: dict[str, str] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    counts: Counts = field(default_factory=Counts)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    _plans: dict[str, Plan] = field(default_factory=dict)
    _weights: Mapping[str, float] | None = None
    _connection_faults: deque[str] = field(default_factory=deque)
    _executions: dict[str, _Execution] = field(default_factory=dict)
    _warm: set[tuple[str, str]] = field(default_factory=set)
    _request_numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def connection_fault(self) -> str | None:
        """What a new connection is to meet, if it was told."""
        return self._connection_faults.popleft() if self._connection_faults else None

    def early_fault(self, request: Request) -> str | None:
        """A fault that the function's name or behaviour tells for requests which are not read to their end."""
        if not request.target.function or not request.target.operation.startswith("Invoke"):
            return None
        try:
            plan = self._plan(request.target.function)
        except PlanError:
            return None
        if plan.draws or plan.fault not in BEFORE_BODY:
            return None
        entry = self._open(request, request.target.function)
        entry.fault, entry.answered = plan.fault, NOTHING
        return plan.fault

    def decide(self, request: Request) -> Action:
        """What a request that arrived whole leads to. The function has started when this returns, if it does."""
        self.counts.requests += request.target.operation != "control"
        match request.target.operation:
            case "Invoke" | "InvokeWithResponseStream":
                return self._invoke(request)
            case "GetFunctionConfiguration" | "GetAlias":
                return self._tell(request)
            case "control":
                return Action(self._control(request))
            case _:
                return Action(error(403, "AccessDeniedException", "not authorized", self._request_id()))

    def _invoke(self, request: Request) -> Action:
        function, request_id = request.target.function, self._request_id()
        streaming = request.target.operation == "InvokeWithResponseStream"
        refusal, payload = _check(request, request_id)
        call = payload.get("call") if isinstance(payload, dict) else None
        entry = self._open(request, call if isinstance(call, str) else function)
        try:
            plan = self._plan(function)
        except PlanError as problem:
            plan, refusal = Plan(), error(400, "InvalidParameterValueException", str(problem), request_id)
        fault, argument = plan.fault, plan.argument
        if plan.draws:
            weights = plan.weights or self._weights or (STREAM_WEIGHTS if streaming else WEIGHTS)
            fault, argument = draw(self.seed, entry.call, entry.attempts, weights), None
        entry.fault = fault
        if fault in BEFORE_BODY:
            return Action(Answer(200), fault, entry=entry)
        entry.received += 1
        argument = FAULTS[fault].argument if argument is None else argument
        if FAULTS[fault].of_streams and not streaming:
            refusal = error(400, "InvalidParameterValueException", f"{fault} is for streams", request_id)
        execution = _execution(request, plan)
        known = self._executions.get(execution.name) if execution else None
        if execution and known and known != execution:
            refusal = error(409, "DurableExecutionAlreadyStartedException", "another payload", request_id)
        if refusal:
            return Action(refusal, entry=entry)
        if FAULTS[fault].starts and entry.invocation_type != "DryRun" and not known:
            entry.started += 1
            if execution:
                self._executions[execution.name] = execution
        if answer := told(fault, argument, request_id):
            return Action(answer, wait_ms=plan.sleep_ms if FAULTS[fault].starts else 0, entry=entry)
        action = Action(Answer(200), fault, argument, plan.sleep_ms, plan.chunk or 0, entry=entry)
        headers = f"x-amzn-RequestId: {request_id}\r\n"
        if execution:
            headers += f"X-Amz-Durable-Execution-Arn: {execution.arn}\r\n"
        self._answer(action, entry, plan, request, request_id, headers)
        if fault == "function_error":
            action.manner = "ok"
        return action

    def _open(self, request: Request, call: str) -> Entry:
        target = request.target
        kind = request.header(b"x-amz-invocation-type") or "RequestResponse"
        if target.operation == "InvokeWithResponseStream" and kind == "RequestResponse":
            kind = "ResponseStream"
        return self.ledger.open(call, target.function, target.qualifier, kind)

    def _answer(
        self, action: Action, entry: Entry, plan: Plan, request: Request, request_id: str, headers: str
    ) -> None:
        """Put into an action what the function, or Lambda in its place, answers."""
        if entry.invocation_type in ("DryRun", "Event"):
            action.wait_ms = 0
            action.answer = Answer(204 if entry.invocation_type == "DryRun" else 202, headers)
            return
        version = entry.version = self._version(plan, entry)
        headers += f"X-Amz-Executed-Version: {version}\r\n"
        body: bytes | Filler = _echo(request) if plan.size is None else Filler(plan.size)
        streaming = entry.invocation_type == "ResponseStream"
        failure = FUNCTION_ERROR if action.manner == "function_error" else None
        if failure is None and not streaming and len(body) > ANSWER_LIMIT:
            failure = TOO_LARGE
        log = None
        if request.headers.get(b"x-amz-log-type") == b"Tail":
            run = (entry.function, version)
            cold = run not in self._warm
            self._warm.add(run)
            log = log_tail(request_id, version, plan.log_lines, plan.sleep_ms + 1.25, cold, failure is not None)
        if streaming:
            action.answer = Answer(
                200, f"Content-Type: application/vnd.amazon.eventstream\r\n{headers}", b"" if failure else body
            )
            action.chunk = action.chunk or (_DEFAULT_CHUNK if plan.size else max(1, -(-len(body) // 4)))
            failed = failure is not None or action.manner == "stream_error"
            action.ending = complete(code="Unhandled", details=FUNCTION_ERROR, log=log) if failed else complete(log=log)
            return
        if log:
            headers += f"X-Amz-Log-Result: {log}\r\n"
        if failure:
            headers += "X-Amz-Function-Error: Unhandled\r\n"
            body = failure.encode()
        action.answer = Answer(200, f"Content-Type: application/json\r\n{headers}", body)

    def _version(self, plan: Plan, entry: Entry) -> str:
        qualifier = entry.qualifier
        if qualifier is None or qualifier.startswith("$LATEST"):
            return "$LATEST"
        if qualifier.isdecimal():
            return qualifier
        routes = plan.routes(qualifier)
        if len(routes) == 1:
            return next(iter(routes))
        return draw_version(self.seed, entry.call, routes)

    def _tell(self, request: Request) -> Action:
        """GetFunctionConfiguration and GetAlias."""
        target, request_id = request.target, self._request_id()
        headers = f"Content-Type: application/json\r\nx-amzn-RequestId: {request_id}\r\n"
        try:
            plan = self._plan(target.function)
        except PlanError as problem:
            return Action(error(404, "ResourceNotFoundException", str(problem), request_id))
        argument = FAULTS[plan.metadata].argument
        if answer := told(plan.metadata, argument, request_id):
            return Action(answer)
        document = _configuration(target.function, target.qualifier, plan)
        if target.operation == "GetAlias":
            document = _alias(target.function, target.alias, plan.routes(target.alias))
        return Action(Answer(200, headers, json.dumps(document).encode()), plan.metadata, argument)

    def _plan(self, function: str) -> Plan:
        plan = self._plans.get(function)
        if plan is None:
            plan = self._plans[function] = parse_name(function)
        return plan

    def _request_id(self) -> str:
        number = next(self._request_numbers)
        return f"{number & 0xFFFFFFFF:08x}-0000-4000-8000-{self.seed & 0xFFFFFFFFFFFF:012x}"

    def _control(self, request: Request) -> Answer:
        try:
            document = self._controlled(request.method, request.target.path, json.loads(request.body or b"{}"))
        except (ValueError, TypeError, AttributeError, KeyError) as problem:
            return Answer(400, "Content-Type: text/plain\r\n", str(problem).encode())
        if document is None:
            return Answer(404, "Content-Type: text/plain\r\n", b"no such path")
        return Answer(200, "Content-Type: application/json\r\n", json.dumps(document).encode())

    def _controlled(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        match method, path.removeprefix("/_control/").split("/"):
            case "GET", ["ledger"]:
                return self.ledger.document()
            case "GET", ["counts"]:
                counts = self.counts
                files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
                return {name: getattr(counts, name) for name in Counts.__slots__} | {"open_files_limit": files}
            case "GET", ["urls"]:
                return self.urls
            case "PUT", ["functions", name]:
                self._plans[name] = change(parse_name(name), body)
            case "PUT", ["weights"]:
                self._weights = checked_weights(body)
            case "PUT", ["connections"]:
                if unknown := set(body["faults"]) - OF_CONNECTIONS.keys():
                    raise PlanError(f"no connection meets {', '.join(sorted(unknown))}")
                self._connection_faults.extend(body["faults"])
            case "POST", ["release"]:
                self._release()
            case "POST", ["reset"]:
                self._release()
                self.ledger, self.counts = Ledger(), Counts()
                self._weights = None
                for told_before in (self._plans, self._connection_faults, self._executions, self._warm):
                    told_before.clear()
            case _:
                return None
        return {}

    def _release(self) -> None:
        held, self.released = self.released, asyncio.Event()
        held.set()


def _check(request: Request, request_id: str) -> tuple[Answer | None, Any]:
    """What Lambda refuses before it starts anything, and the payload."""
    event = request.headers.get(b"x-amz-invocation-type") == b"Event"
    limit = ASYNCHRONOUS_LIMIT if event else SYNCHRONOUS_LIMIT
    payload = None
    refusal = None
    if request.body:
        try:
            payload = json.loads(request.body)
        except ValueError:
            message = "Could not parse request body into json"
            refusal = error(400, "InvalidRequestContentException", message, request_id)
    if len(request.body) > limit:
        message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
        refusal = error(413, "RequestTooLargeException", message, request_id)
    encoded = request.header(b"x-amz-client-context")
    if encoded is not None:
        try:
            context = json.loads(base64.b64decode(encoded, validate=True))
        except (binascii.Error, ValueError):
            context = None
        if len(encoded) > CONTEXT_LIMIT or not isinstance(context, dict):
            message = "Client context must be a valid Base64-encoded JSON object of at most 3583 bytes."
            refusal = error(400, "InvalidRequestContentException", message, request_id)
    return refusal, payload


def _execution(request: Request, plan: Plan) -> _Execution | None:
    name = request.header(b"x-amz-durable-execution-name")
    if name is None or "DurableConfig" not in plan.configuration:
        return None
    function, digest = request.target.function, hashlib.sha256(request.body).hexdigest()
    return _Execution(f"{function}:{name}", f"{_ACCOUNT}{function}:1/durable-execution/{name}/{digest[:32]}")


def _echo(request: Request) -> bytes:
    """The payload; beside it the client context, decoded, where there is one. Lambda makes `{}` of no payload."""
    payload = request.body or b"{}"
    encoded = request.headers.get(b"x-amz-client-context")
    if encoded is None:
        return payload
    return b'{"payload": %b, "client_context": %b}' % (payload, base64.b64decode(encoded))


def _configuration(function: str, qualifier: str | None, plan: Plan) -> dict[str, Any]:
    return {
        "FunctionName": function,
        "FunctionArn": _ACCOUNT + function + (f":{qualifier}" if qualifier else ""),
        "Runtime": "python3.13",
        "Handler": "app.handler",
        "MemorySize": 128,
        "Timeout": 3,
        "State": "Active",
        "Version": qualifier if qualifier and qualifier.isdecimal() else "$LATEST",
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function}"},
        **plan.configuration,
    }


def _alias(function: str, name: str, routes: Mapping[str, float]) -> dict[str, Any]:
    version, *others = routes
    alias: dict[str, Any] = {
        "AliasArn": f"{_ACCOUNT}{function}:{name}",
        "Name": name,
        "FunctionVersion": version,
        "RevisionId": "00000000-0000-4000-8000-000000000000",
    }
    if others:
        alias["RoutingConfig"] = {"AdditionalVersionWeights": {other: routes[other] for other in others}}
    return alias
