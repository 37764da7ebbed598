"""Answers from practice, each kind with neighbours, as a client gets them: in the text and in the structure alike."""

from __future__ import annotations

import base64
import json
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from mcp.types import CallToolResult

from support.corpus import CASES, WORDS, returned, strings_in
from support.scripted_endpoint import Received, Reply, ScriptedEndpoint
from support.warden import arn, structured, text_of, warden

pytestmark = pytest.mark.anyio

KINDS: Final[dict[str, dict[str, Any]]] = yaml.safe_load(Path(__file__).with_name("practice.yaml").read_text())
TITLES: Final = {title: case for cases in CASES.values() for title, case in cases.items()}
NEIGHBOURS: Final = 2


def test_each_case_has_neighbours_that_differ() -> None:
    for name, kind in KINDS.items():
        assert len({json.dumps(answer) for answer in kind["answers"]}) > NEIGHBOURS, name


@pytest.mark.parametrize("name", KINDS)
async def test_a_case_and_its_neighbours_are_read_right(name: str, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    answers = KINDS[name]["answers"]
    # What a server learns of a region, as that it has no logs, holds for that region.
    regions = [f"eu-west-{number}" for number, _ in enumerate(answers, 1)]
    rules = [rule(region) for region in regions]
    async with warden(tmp_path, endpoint.url, *rules, regions=regions) as server:
        for region, answer in zip(regions, answers, strict=True):
            expected = {"kind": "RequestResponse", "says": [], "next": "", **KINDS[name], **extra(answer)}
            endpoint.reset()
            endpoint.behaviours["f"] = partial(given, reply_of(answer, expected))
            called = {"function": f"{arn('f', region)}:live", "payload": {}, "invocation_type": expected["kind"]}
            check(expected, await server.call("invoke_function", **called), len(endpoint.started))


def check(expected: dict[str, Any], result: CallToolResult, started: int) -> None:
    seen, text = structured(result), text_of(result)
    told = " ".join(strings_in(seen))
    assert seen["outcome"] == expected["outcome"], text
    assert seen.get("function_error", {}).get("cause") == expected.get("cause"), text
    assert expected["next"] in seen["next_step"], text
    assert f"Next: {seen['next_step']}" in text
    assert "orrect the payload" not in text
    assert all(words in text and words in told for words in expected["says"]), text
    assert started == expected.get("attempts", started), text


def rule(region: str) -> dict[str, Any]:
    types = ["RequestResponse", "Event"]
    return {"arn": arn("f", region), "qualifiers": ["live"], "invocation_types": types, "max_attempts": 1}


def given(reply: Reply, _: Received) -> Reply:
    return reply


def extra(answer: Any) -> dict[str, Any]:
    """What is expected of this answer alone."""
    return answer if isinstance(answer, dict) else {}


def reply_of(answer: Any, kind: dict[str, Any]) -> Reply:
    """What the endpoint says, in whichever of its forms the file has it."""
    if isinstance(answer, list):
        type_, message, *log = answer
        answer = {"error": "Unhandled", "json": {"errorType": type_, "errorMessage": message}}
        answer["log"] = "\n".join([*log, kind.get("log", "")])
    elif isinstance(answer, str) or "title" in answer:
        answer = TITLES[answer if isinstance(answer, str) else answer["title"]]
    else:
        body = json.dumps(answer["body"]) if "body" in answer else answer["text"]
        code = {"x-amzn-ErrorType": answer["type"]} if "type" in answer else {}
        return Reply(answer.get("status", 200), body.encode(), code | answer.get("headers", {}))
    said = returned(answer)
    headers = {
        "x-amzn-RequestId": WORDS["ID"],
        "X-Amz-Function-Error": said.function_error,
        "X-Amz-Log-Result": said.log_tail and base64.b64encode(said.log_tail).decode(),
    }
    return Reply(said.status_code, said.payload, {name: value for name, value in headers.items() if value})
