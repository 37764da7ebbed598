"""Text is added to a manifest, and every character that stood there still does."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.drafting.merge import MergeError, merge_text

TARGET = '- {account: "210987654321", regions: [us-east-1]}'
RULE = ["# about it", "- arn: arn:new", "  qualifiers: [live]"]

comments = st.sampled_from(
    ["", "\n", "# mine\n", "  # mine, indented\n", "      # deep\n", "\n\n  # - arn: arn:other\n\n"]
)
values = st.sampled_from(
    [
        *("live", '"a # b"', "'it''s'", "[a, {b: c}]", "", "~  # none", "a   # why"),
        *("|\n§two\n§lines\n", "|+\n§kept\n\n\n", ">-\n§x\n§y", "|-\n§x\n"),
        *('"over\n§lines"', "plain over\n§lines", "{a: [1,\n§2]}"),
    ]
).map(lambda value: value.replace("§", " " * 12))


@st.composite
def manifests(draw: st.DrawFn) -> str:
    """A manifest as a person may have written it: any order of keys, indents, comments, line ends and values."""
    dash = draw(st.sampled_from(["", "  ", "    "]))

    def items(name: str) -> str:
        text = f"{name}:{draw(st.sampled_from(['', ' ', '   # these']))}\n{draw(comments)}"
        for number in range(draw(st.integers(0, 3))):
            text += f"{dash}-   arn: {name}{number}\n{draw(comments)}{dash}    other: {draw(values)}"
            text += ("" if text.endswith("\n") else "\n") + draw(comments)
        return text

    parts = ["version: 1\n", items("functions"), items("targets"), f"deny:\n- arn: x\n  reason: {draw(values)}\n"]
    chosen = draw(st.permutations(parts if draw(st.booleans()) else parts[:2]))
    text = draw(st.sampled_from(["", "---\n", "# first\n"])) + draw(comments).join(chosen) + draw(comments)
    text = text.rstrip("\n") if draw(st.booleans()) else text
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


@given(manifests())
def test_what_stood_there_stays_and_what_is_new_is_said(text: str) -> None:
    before = yaml.safe_load(text)
    try:
        merged = merge_text(text, [TARGET], RULE)
    except MergeError:
        # A text at the very end of a file, whose last line break is missing, would gain one.
        assert not text.endswith("\n")
        return
    after = yaml.safe_load(merged)
    assert after["functions"] == [*(before["functions"] or []), {"arn": "arn:new", "qualifiers": ["live"]}]
    assert after["targets"] == [*(before.get("targets") or []), {"account": "210987654321", "regions": ["us-east-1"]}]
    added = {TARGET, *map(str.strip, RULE)} | (set() if "targets" in before else {"targets:"})
    kept = "".join(line for line in merged.splitlines(keepends=True) if line.strip() not in added)
    assert kept in (text, text + ("\r\n" if "\r\n" in text else "\n"))


@pytest.mark.parametrize("text", ["{version: 1, functions: []}", "version: 1\nfunctions: [ ]\n", "version: 1\n...\n"])
def test_what_can_not_be_added_to_is_refused(text: str) -> None:
    with pytest.raises(MergeError):
        merge_text(text, [], RULE)


def test_nothing_to_add_gives_the_very_text() -> None:
    assert merge_text("version: 1  \r\n\r\n", [], []) == "version: 1  \r\n\r\n"
