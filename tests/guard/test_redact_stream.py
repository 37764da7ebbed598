"""An answer that comes in pieces is redacted as the whole would be, or more; without secrets, it stays as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from lambda_warden.guard.redaction.stream import StreamRedactor
from lambda_warden.guard.redaction.text import redact_text
from lambda_warden.guard.redaction.text_stream import REACH
from lambda_warden.guard.redaction.value import redact_value
from lambda_warden.model.pointer import parse_pointer
from lambda_warden.report.payload import read_payload
from support.results import json_values

BEGIN, END = (f"-----{word} RSA PRIVATE {'KEY'}-----" for word in ("BEGIN", "END"))
KEY_MARK = "[redacted:private-key]"
WITHHELD = "[redacted:withheld]"
PASSWORD_MARK = "[redacted:password]"

# § stands for what is secret, if anything there is: a word that occurs nowhere else.
TEXTS = [
    "§",
    "some words",
    "password=§",
    "Authorization: Bearer 1§",
    '{"dbPassword": "§"}',
    "AKIA" + "QZ7X§",
    "ey" + "JhbGciOiJIUzI1NiJ9.{}J12345678.§".format("ey"),
    f"{BEGIN}\n§\n{END}",
    BEGIN,
    END,
    "postgres://bob:§@db.example/x",
    "\\u0070assword=§",
    'é😀 "quoted" \\ , ] } : [ {',
]
LONG = "y " * 300
CORES: list[Any] = [
    *({"note": text} for text in TEXTS),
    *([text] for text in TEXTS),
    {"name": "DB_PASSWORD", "value": "§"},
    {"value": "§", "Name": "DB_PASSWORD"},
    {"key": "a", "value": "§", "name": "password"},
    {"name": 5, "Value": ["§", ["§"]], "Key": "token"},
    {"value": {"S": "§"}, "ParameterKey": "api_key"},
    {"value": f"§{LONG}§", "name": "secret"},
    {"name": f"§{LONG}", "value": [f"§{LONG}"]},
    {"password": "§"},
    {"password": f"§{LONG}"},
    {"password": ["§", ["§"], 1, {"a": "§"}]},
    {"password": {"S": "§"}},
    {"password": {"S": ["§", f"§{LONG}"]}},
    {"password": {"S": f"§{LONG}§"}},
    {"password": [{"S": "§"}, {"S": "§", "a": 1}]},
    {"authorization": "Basic §"},
    {"X-Authorization": ["Bearer §", f"Basic §{LONG}"]},
    [BEGIN, "§", "§", END, "x"],
    [BEGIN, {"a": "§"}, ["§"], "§", f"§{LONG}", 1, END, BEGIN, "§"],
    [f"{LONG}{BEGIN}", "§", f"§{END}{LONG}", "§"],
    {"AKIA" + "QZ7X§": {"AKIA" + "QZ7X§": "§"}},
    {"note": f"{LONG}password=§{LONG}", "list": [f"password=§ {LONG}", f"{LONG} token: §"]},
]
pads = st.sampled_from(["x", "x" * 70, LONG, 1, None, [1, 2, 3], {"a": {"b": "c"}}, ["x" * 50] * 4])


@st.composite
def padded(draw: st.DrawFn, value: Any) -> Any:
    """A value with more between its entries, so that they don't fit a window together."""
    if isinstance(value, list):
        entries: list[Any] = [(None, draw(padded(item))) for item in value]
    elif isinstance(value, dict):
        entries = [(key, draw(padded(item))) for key, item in value.items()]
    else:
        return value
    for number in range(draw(st.integers(0, 3))):
        entries.insert(draw(st.integers(0, len(entries))), (f"pad{number}", draw(pads)))
    return [item for _, item in entries] if isinstance(value, list) else dict(entries)


templates: st.SearchStrategy[Any] = st.lists(
    st.sampled_from(CORES).flatmap(padded), min_size=1, max_size=3
) | st.dictionaries(
    st.sampled_from(["a", "b", "value", "S"]), st.sampled_from(CORES).flatmap(padded), min_size=1, max_size=3
)
windows = st.integers(40, 400)
cuts = st.lists(st.integers(1, 400), min_size=1, max_size=20)
escapings = st.sampled_from([True, False])


def planted(template: Any, words: Iterator[str]) -> Any:
    match template:
        case str():
            return template.replace("§", next(words)) if "§" in template else template
        case list():
            return [planted(item, words) for item in template]
        case dict():
            return {planted(key, words): planted(item, words) for key, item in template.items()}
        case _:
            return template


def words() -> Iterator[str]:
    return (f"QV{number:04}WJ{number:04}" for number in range(1, 10_000))


def streamed(
    data: bytes, window: int, lengths: Sequence[int] = (50,), pointers: Sequence[str] = ()
) -> tuple[bytes, StreamRedactor]:
    """What is given of an answer that comes in pieces of these lengths, over and over."""
    redactor = StreamRedactor([parse_pointer(pointer) for pointer in pointers], window)
    shown: list[bytes] = []
    at = turn = 0
    while at < len(data):
        length = lengths[turn % len(lengths)]
        shown += redactor.redact(data[at : at + length])
        at, turn = at + length, turn + 1
    return b"".join([*shown, redactor.rest()]), redactor


@given(templates, windows, cuts, escapings, st.sampled_from([None, 1]))
def test_what_is_redacted_in_the_whole_is_redacted_in_the_stream(
    template: Any, window: int, lengths: list[int], ascii_only: bool, indent: int | None
) -> None:
    value = planted(template, words())
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    whole = json.dumps(redact_value(value).value)
    shown, redactor = streamed(data, window, lengths)

    assert redactor.format == "json"
    json.loads(shown)
    leaked = [word for word in _words_in(data) if word.encode() in shown and word not in whole]
    assert leaked == []
    assert (shown == data) == (redactor.count == 0)


def _words_in(data: bytes) -> list[str]:
    return [word for word, _ in zip(words(), range(data.count(b"QV") + 1), strict=False)]


@given(json_values, windows, cuts, escapings)
def test_a_value_without_secrets_passes_byte_for_byte(
    value: Any, window: int, lengths: list[int], ascii_only: bool
) -> None:
    data = json.dumps([value], ensure_ascii=ascii_only).encode()
    shown, redactor = streamed(data, window, lengths)

    assert (shown, redactor.count) == (data, 0)


@given(json_values, st.sampled_from(CORES), st.integers(4, 40), cuts)
def test_what_fits_a_window_is_redacted_just_as_the_whole_is(
    value: Any, core: Any, more: int, lengths: list[int]
) -> None:
    secret = planted(core, words())
    data = json.dumps([value, secret, value]).encode()
    shown, redactor = streamed(data, len(json.dumps(secret)) + more, lengths)
    assume(redactor.format == "json")  # unless a key is larger than the window

    whole = read_payload(data)
    assert json.loads(shown) == whole.value
    assert redactor.count == whole.redacted
    if not whole.redacted:
        assert shown == data


SECRET_TEXTS = [*TEXTS, f"password: '{LONG}§'", f"token=\n§{'a' * 500}", "Private-Lines: 2\n§\nPrivate-MAC: 12ab\n"]
fillers = st.sampled_from(["", " ", "\n", "x" * 3000, "words, " * 900, "line\n" * 900, "é😀" * 1500, '"', "}", "\\n"])


@given(st.lists(st.sampled_from(SECRET_TEXTS) | fillers, max_size=14), windows, cuts)
def test_what_is_redacted_in_a_text_is_redacted_in_its_stream(
    parts: list[str], window: int, lengths: list[int]
) -> None:
    count = words()
    data = "".join(planted(part, count) for part in ["text ", *parts]).encode()
    whole = redact_text(data.decode())
    shown, redactor = streamed(data, window, [length * 20 for length in lengths])

    assert redactor.format == "text"
    leaked = [word for word in _words_in(data) if word.encode() in shown and word not in whole.text]
    assert leaked == []
    assert (shown == data) == (redactor.count == 0)
    if not whole.count:
        assert shown == data


@given(st.sampled_from(SECRET_TEXTS), st.integers(0, 80), st.integers(0, 2 * REACH + 200))
def test_no_text_is_cut_within_a_secret(text: str, shift: int, length: int) -> None:
    secret = planted(text, words())
    data = ("." * shift + "row " * 700 + "." * (length % 61) + " " + secret + "\n" + "row\n" * 2500).encode()
    shown, _ = streamed(data, 128, [length + 1])

    assert shown.decode() == redact_text(data.decode()).text
