"""JSON with comments, edited as text: what is put in can be read, what else stands there stays, byte for byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambda_warden.jsontools.jsonc import JsoncError, loads, remove_member, set_member

ENTRY = {"command": "/opt/lw", "args": ["serve", "{ // no comment"], "env": {}}
FILES = [
    "{}\n",
    '{\n  "servers": {}\n}\n',
    '{\n  // mine\n  "servers": {\n    "a": {"x": 1} // the first\n  },\n  "inputs": []\n}\n',
    '{\n\t"servers": {\n\t\t"a": 1, // one\n\t\t"b": [1, 2,], /* two */\n\t},\n}\n',
    '{\r\n    "servers": {\r\n        "a": "// no comment {",\r\n        "b": 2\r\n    }\r\n}\r\n',
    '\ufeff{"servers": {"a": {"b": null}}, "other": "\\"}"}',
    '{"servers": {/* none yet */}}',
    '{\n  "other": 1 /* {"servers": {}} */\n  // }\n}\n',
    '{ "servers":\n {"a": 1,\n  "b": 2}}',
]


@pytest.mark.parametrize("text", FILES)
def test_a_member_is_put_in_once_and_taken_out_again(text: str) -> None:
    made = set_member(text, "servers", "lw", ENTRY)
    before = loads(text)
    assert loads(made) == {**before, "servers": {**before.get("servers", {}), "lw": ENTRY}}
    assert set_member(made, "servers", "lw", ENTRY) == made
    changed = set_member(made, "servers", "lw", {"command": "/other"})
    assert loads(changed)["servers"]["lw"] == {"command": "/other"}
    left = remove_member(made, "servers", "lw")
    assert loads(left) == {**before, "servers": before.get("servers", {})}
    assert remove_member(left, "servers", "lw") == left


@pytest.mark.parametrize("text", FILES[1:5])
def test_what_was_put_in_and_taken_out_leaves_the_file_as_it_was(text: str) -> None:
    assert remove_member(set_member(text, "servers", "lw", ENTRY), "servers", "lw") == text


def test_comments_and_indentation_are_kept() -> None:
    assert set_member(FILES[3], "servers", "lw", {"k": [1]}) == (
        '{\n\t"servers": {\n\t\t"a": 1, // one\n\t\t"b": [1, 2,], /* two */\n\t\t"lw": {\n\t\t\t"k": [\n\t\t\t\t1\n'
        "\t\t\t]\n\t\t},\n\t},\n}\n"
    )
    assert set_member(FILES[2], "servers", "lw", 1).splitlines()[3:6] == [
        '    "a": {"x": 1}, // the first',
        '    "lw": 1',
        "  },",
    ]


@pytest.mark.parametrize("text", ["", "  \n", "// nothing yet", "\ufeff"])
def test_a_file_without_a_value_is_begun(text: str) -> None:
    made = set_member(text, "servers", "lw", 1)
    assert made.startswith(text.rstrip())
    assert loads(made) == {"servers": {"lw": 1}}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "line 1: expected a key"),
        ('{\n"a" 1}', 'line 2: expected ":"'),
        ('{"a": 1 "b": 2}', 'expected "," or "}"'),
        ('{"a": [1 2]}', 'expected "," or "]"'),
        ('{"a": NaN}', "expected a value"),
        ('{"a": "\n"}', "expected a value"),
        ('{"a": 1} {}', "expected the end"),
        ('{"a": 1, "a": 2}', "'a' stands there twice"),
        ("{/* }", "expected a key"),
        ("{,}", "expected a key"),
        ("[" * 100_000, "too deeply"),
        ("[]", "the whole is no object"),
        ('{"servers": []}', "servers is no object"),
    ],
)
def test_what_can_not_be_read_is_not_edited(text: str, problem: str) -> None:
    with pytest.raises(JsoncError) as putting:
        set_member(text, "servers", "lw", 1)
    with pytest.raises(JsoncError) as taking:
        remove_member(text, "servers", "lw")
    assert problem in str(putting.value)
    assert problem in str(taking.value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(
    rest=st.dictionaries(st.text(), _JSON),
    others=st.none() | st.dictionaries(st.text(), _JSON),
    indent=st.none() | st.integers(0, 4),
    key=st.text(),
    value=_JSON,
)
@example(rest={}, others={"//": "/*"}, indent=0, key='"', value={})
def test_of_any_json_nothing_else_changes(
    rest: dict[str, object], others: dict[str, object] | None, indent: int | None, key: str, value: object
) -> None:
    whole = {**rest, **({} if others is None else {"servers": others})}
    whole = whole if isinstance(whole.get("servers", {}), dict) else {}
    text = json.dumps(whole, indent=indent)
    assert loads(text) == whole
    made = set_member(text, "servers", key, value)
    here = dict(whole.get("servers", {}))  # type: ignore[call-overload]
    assert json.loads(made) == {**whole, "servers": {**here, key: value}}
    here.pop(key, None)
    assert json.loads(remove_member(made, "servers", key)) == {**whole, "servers": here}
