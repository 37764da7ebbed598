"""What goes out of each tool shows what nobody sees, once, and counts it."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.model.decision import Check
from lambda_warden.model.result import (
    DryRunResult,
    Failure,
    FunctionEntry,
    FunctionError,
    InvokeResult,
    ListResult,
    Log,
    LogsResult,
    Omission,
    QualifierEntry,
    ReadResult,
)
from lambda_warden.report.outgoing import mixed_script_keys, outgoing
from lambda_warden.report.text import dry_run_text, invocation_text, list_text, logs_text, read_result_text
from lambda_warden.report.visible import is_hidden

HIDDEN = "".join(
    each
    for each in map(chr, range(sys.maxunicode + 1))
    if is_hidden(each) and not "\ud800" <= each <= "\udfff" and each != "\r"
)
SOME = (
    "".join(HIDDEN[i] for i in range(0, len(HIDDEN), 4001)) + "\u2800\u202e\u200b\U000e0041\u3164\U0001d173\U000110bd"
)


def results(text: str) -> dict[str, tuple[Any, Any]]:
    """A result of each tool that has a text in every place that is filled from outside."""
    error = FunctionError(kind="Unhandled", cause="code", explanation="x", type=text, message=text, stack_trace=[text])
    entry = FunctionEntry(
        function="arn", qualifiers=[QualifierEntry(qualifier="live", kind="alias")], invocation_types=["Event"],
        effect="read", description=text, description_from="aws", payload_max_bytes=1, state=text, handler=text,
    )  # fmt: skip
    kept: dict[str, Any] = {
        "invocation_id": "i", "next_step": "n", "function": "f", "part": "payload", "format": "text", "media_type": "t",
        "total_bytes": 1, "original_bytes": 1, "sha256": "0", "kept_until": "k", "outside_data": "o",
    }  # fmt: skip
    check = Check(name="aws_dry_run", passed=False, reason=text)
    invoked: dict[str, Any] = {"outcome": "succeeded", "next_step": "n", "invocation_id": "i"}
    cut = Omission(path=text, kept=1, total=2, unit="items")
    payload: Any = {text: [text, {text: text}]}
    return {
        "payload": (InvokeResult(**invoked, payload=payload, payload_format="json", omitted=[cut]), invocation_text),
        "error": (InvokeResult(**invoked, function_error=error), invocation_text),
        "log": (
            InvokeResult(
                **(invoked | {"outcome": "function_error"}),
                function_error=error.model_copy(update={"message": "m"}),
                log=Log(text=text, truncated=False),
            ),
            invocation_text,
        ),
        "failure": (InvokeResult(**invoked, error=Failure(code="X", message=text)), invocation_text),
        "dry_run": (DryRunResult(would_invoke=False, next_step="n", invocation_id="i", checks=[check]), dry_run_text),
        "list": (ListResult(functions=[entry], total=1, notes=[text], next_step="n"), list_text),
        "logs": (LogsResult(outcome="found", next_step="n", read_id="r", text=text, notes=[text]), logs_text),
        "page": (ReadResult(**kept, content=text), read_result_text),
        "query": (ReadResult(**kept, value={text: [text]}), read_result_text),
    }


@pytest.mark.parametrize("name", results(""))
def test_every_hidden_character_is_shown_in_both_views_of_each_tool(name: str) -> None:
    for text in (SOME, HIDDEN[:3000] + "x"):
        result, text_of = results(text)[name]
        said, structured = outgoing(result)
        for view in (json.dumps(structured, ensure_ascii=False), text_of(said)):
            assert not [each for each in set(view) if is_hidden(each)]
            assert "\\u202e" in view or text is not SOME
        assert structured["hidden_characters"] >= len(text) - 1
        assert f"Hidden: {structured['hidden_characters']:,} characters" in text_of(said)
        type(result).model_validate(structured)


@pytest.mark.parametrize("name", results(""))
def test_what_hides_nothing_goes_out_as_it_is(name: str) -> None:
    result, text_of = results("Grüße\r\n世界 \\u200b 👩\u200d💻")[name]
    said, structured = outgoing(result)
    assert said is result
    assert structured == result.model_dump(mode="json", exclude_defaults=True)
    assert "Hidden" not in text_of(said)


keys = st.text(st.sampled_from("a\u200b\u2800\\"), max_size=4) | st.sampled_from(["a\\u200b", "\\u200b"])


@given(st.dictionaries(keys, st.integers(), max_size=8))
def test_no_member_is_lost_to_another_that_is_written_alike(payload: dict[str, Any]) -> None:
    result = InvokeResult(outcome="succeeded", next_step="n", invocation_id="i", payload=payload)
    shown = outgoing(result)[1].get("payload", {})
    assert sorted(shown.values()) == sorted(payload.values())
    assert all(payload[key] == shown[key] for key in payload if not set(key) & {"\u200b", "\u2800"})


def test_keys_that_mix_scripts_are_named_in_both_views() -> None:
    payload: Any = [{"p": {"\u0430mount": 1, "amount": 2}}, {"\u0430mount": 3}]
    said, structured = outgoing(InvokeResult(outcome="succeeded", next_step="n", invocation_id="i", payload=payload))
    assert structured["mixed_script_keys"] == ["\u0430mount (Cyrillic, Latin)"]
    assert "│ \u0430mount (Cyrillic, Latin)" in invocation_text(said).split("\n")


def test_many_such_keys_are_counted() -> None:
    told = mixed_script_keys({f"\u0430mount{i}" + "x" * 900: i for i in range(30)})
    assert told[-1] == "… and 22 more"
    assert max(map(len, told)) < 100
