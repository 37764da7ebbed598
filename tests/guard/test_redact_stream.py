"""An answer that comes in pieces is redacted as the whole would be, or more; without secrets, it stays as it was."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lambda_warden.jsontools.pointer import parse_pointer
from lambda_warden.redaction.piece import UnredactableError
from lambda_warden.redaction.stream import StreamRedactor
from lambda_warden.redaction.text import redact_text
from lambda_warden.redaction.text_stream import REACH
from lambda_warden.redaction.value import VALUES, redact_value
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
    # Hypothesis knows the words that the code looks for, too.
    assume(not redact_value([value]).count and not any(f'"{key}"' in json.dumps(value) for key in VALUES))
    shown, redactor = streamed(data, window, lengths)
    assume(redactor.format == "json")  # unless a key is larger than the window

    assert (shown, redactor.count) == (data, 0)


@given(json_values, st.sampled_from(CORES), st.integers(4, 40), cuts)
def test_what_fits_a_window_is_redacted_just_as_the_whole_is(
    value: Any, core: Any, more: int, lengths: list[int]
) -> None:
    secret = planted(core, words())
    data = json.dumps([value, secret, value]).encode()
    assume(not any(f'"{key}"' in json.dumps(value) for key in VALUES))
    window = len(json.dumps(secret)) + more
    try:
        shown, redactor = streamed(data, window, lengths)
    except UnredactableError:
        assume(False)
    assume(redactor.format == "json")  # unless a key or a number is larger than the window

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


ROWS: dict[str, Any] = {
    "card": {"number": 4111, "kind": "visa"},
    "rows": [{"id": i, "card": "4111" * 20, "deep": [[4111, i], {"x": "4111"}]} for i in range(30)],
    "note": "4111 " * 200,
    "a/b": ["4111 " * 200, {"4111": 1}],
}


@pytest.mark.parametrize("window", [40, 150, 600, 10_000])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    "places",
    [
        [""],
        ["/*"],
        ["/card"],
        ["/card/number", "/rows/*/card", "/note"],
        ["/rows"],
        ["/rows", "/rows/3", "/rows/*/card", "/note", "/note/x"],
        ["/rows/0", "/rows/7", "/rows/29", "/rows/30", "/rows/01", "/rows/-"],
        ["/rows/11/deep/1/x", "/rows/*/deep/0/0", "/rows/*/deep/*/x"],
        ["/a~1b/0", "/*/1/4111"],
        ["/*/*/*"],
        ["/note/x", "/rows/x"],
    ],
)
def test_what_stands_at_a_place_goes_whole(places: list[str], window: int, indent: int | None) -> None:
    data = json.dumps(ROWS, indent=indent).encode()
    shown, redactor = streamed(data, window, pointers=places)
    whole = redact_value(ROWS, [parse_pointer(place) for place in places])

    assert json.loads(shown) == whole.value
    assert (redactor.count, redactor.format) == (whole.count, "json")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # What names a value may come later.
        ({"value": "x", "pad": LONG, "name": "DB_PASSWORD"}, {"value": "[redacted:secret]"}),
        ({"value": "x", "pad": LONG}, {"value": "[redacted:secret]"}),
        ({"key": "k", "pad": LONG, "value": "x", "z": LONG}, {"value": "[redacted:secret]"}),
        ({"value": ["x", ["y"], {"S": "z"}, {"a": "b"}, 1], "pad": LONG}, {"value": [*["[redacted:secret]"] * 0]}),
        # It has come.
        ({"name": "team", "pad": LONG, "value": "x"}, {}),
        ({"name": "team", "pad": LONG, "value": LONG}, {}),
        ({"pad": LONG, "value": "x"}, {}),
        ({"name": "DB_PASSWORD", "pad": LONG, "value": LONG}, {"value": PASSWORD_MARK}),
        ({"name": LONG, "pad": LONG, "value": LONG}, {"value": "[redacted:secret]"}),
        ({"name": LONG, "Name": "team", "pad": LONG, "value": "x", "z": LONG}, {"value": "[redacted:secret]"}),
        ({"name": 1, "pad": LONG, "Key": "token", "Value": LONG}, {"Value": "[redacted:secret]"}),
        # Whether a member stays alone may show later.
        ({"password": {"S": "x", "pad": LONG}}, {"password": {"S": PASSWORD_MARK, "pad": LONG}}),
        ({"password": {"pad": LONG, "S": "x"}}, {}),
        ({"Authorization": f"Bearer {LONG}"}, {"Authorization": "[redacted:authorization]"}),
        ({"authorization": LONG}, {"authorization": "[redacted:authorization]"}),
    ],
)
def test_what_can_t_be_told_in_time_is_taken_for_a_secret(value: Any, expected: dict[str, Any]) -> None:
    if "value" in expected and isinstance(expected["value"], list):
        secret = "[redacted:secret]"
        expected = {"value": [secret, [secret], {"S": secret}, {"a": "b"}, 1]}
    shown, _ = streamed(json.dumps(value).encode(), 60)
    assert json.loads(shown) == {**value, **expected}


RESPONSE: dict[str, Any] = {"statusCode": 200, "headers": {"x": "y"}}
INSIDE: list[Any] = [{"id": i, "name": "n", "value": "x"} for i in range(40)]
SECRETS_INSIDE: list[Any] = [*INSIDE, {"name": "DB_PASSWORD", "value": "x"}, {"password": {"S": "x"}}, 1]
SHOWN_INSIDE: list[Any] = [
    *INSIDE,
    {"name": "DB_PASSWORD", "value": PASSWORD_MARK},
    {"password": {"S": PASSWORD_MARK}},
    1,
]


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("window", [90, 700, 20_000])
@pytest.mark.parametrize("lengths", [[1], [61], [100_000]])
def test_the_body_of_a_response_is_redacted_as_what_it_holds(ascii_only: bool, window: int, lengths: list[int]) -> None:
    for inside, expected in ((SECRETS_INSIDE, SHOWN_INSIDE), (["é😀\\", *INSIDE], ["é😀\\", *INSIDE])):
        body = json.dumps(inside, ensure_ascii=ascii_only)
        data = json.dumps({**RESPONSE, "body": body, "z": LONG}, ensure_ascii=not ascii_only).encode()
        shown, redactor = streamed(data, window, lengths)

        assert json.loads(json.loads(shown)["body"]) == expected
        assert redactor.count == (2 if expected is SHOWN_INSIDE else 0)
        assert read_payload(shown).value == read_payload(data).value
        if not redactor.count:
            assert shown == data


def test_places_lead_into_the_body_of_a_response() -> None:
    data = json.dumps({**RESPONSE, "body": json.dumps(ROWS), "z": LONG}).encode()
    shown, redactor = streamed(data, 300, pointers=["/body/rows/*/card", "/body/note"])
    whole = redact_value(ROWS, [("rows", "*", "card"), ("note",)])

    assert json.loads(json.loads(shown)["body"]) == whole.value
    assert redactor.count == whole.count
    assert json.loads(streamed(data, 300, pointers=["/body"])[0])["body"] == "[redacted]"
    assert json.loads(streamed(data, 10_000, pointers=["/body"])[0])["body"] == "[redacted]"


ENCODED = base64.b64encode(b'{"password": "hunter2"} ' * 60).decode()
BINARY = base64.b64encode(b"\xff\xfe" * 600).decode()


@pytest.mark.parametrize(
    ("value", "body"),
    [
        ({"body": LONG, "statusCode": 200}, WITHHELD),
        ({"body": "short", "pad": LONG, "statusCode": 200}, WITHHELD),
        ({"statusCode": 200, "isBase64Encoded": True, "body": ENCODED}, WITHHELD),
        ({"statusCode": 200, "body": ENCODED, "isBase64Encoded": True}, WITHHELD),
        ({"statusCode": 200, "body": ENCODED[:40], "pad": LONG, "isBase64Encoded": True}, WITHHELD),
        ({"statusCode": 200, "isBase64Encoded": False, "body": ENCODED}, ENCODED),
        ({"statusCode": 200, "isBase64Encoded": True, "body": BINARY}, BINARY),
        ({"statusCode": 200, "body": f"<p>password=hunter2 {LONG}"}, f"<p>password={PASSWORD_MARK} {LONG}"),
        ({"statusCode": 200, "body": "password=hunter2", "z": LONG}, f"password={PASSWORD_MARK}"),
        ({"statusCode": 2000, "body": LONG}, LONG),
        ({"statusCode": [LONG], "body": LONG}, LONG),
        ({"statusCode": True, "body": json.dumps(SECRETS_INSIDE[-3:-2] * 9)}, json.dumps(SECRETS_INSIDE[-3:-2] * 9)),
        ({"z": LONG, "body": "password=hunter2"}, f"password={PASSWORD_MARK}"),
    ],
)
def test_a_body_that_may_hold_more_than_shows_is_withheld(value: Any, body: str) -> None:
    shown, _ = streamed(json.dumps(value).encode(), 100)
    assert json.loads(shown) == {**value, "body": body}


KEY_ID = "AKIA" + "IOSFODNN7EXAMPLE"
KEY_ID_MARK = "[redacted:aws-access-key]"


def test_keys_that_are_secrets_stay_apart_over_all_of_an_object() -> None:
    value = {"a": 1, KEY_ID: LONG, "b": LONG, "ASIA" + KEY_ID[4:]: 2, "c": LONG, "ABIA" + KEY_ID[4:]: [LONG], "d": 3}
    shown, redactor = streamed(json.dumps(value).encode(), 60)

    assert list(json.loads(shown)) == ["a", KEY_ID_MARK, "b", f"{KEY_ID_MARK} (2)", "c", f"{KEY_ID_MARK} (3)", "d"]
    assert list(json.loads(shown).values()) == list(value.values())
    assert (redactor.count, redactor.format) == (3, "json")


@pytest.mark.parametrize("data", ["42", " -1.5e3 \n", "true", "null", '"text"', '""', "[]", " {} ", '"' + LONG + '"'])
def test_any_json_is_json(data: str) -> None:
    shown, redactor = streamed(data.encode(), 60)
    assert (shown, redactor.format) == (data.encode(), "json")


@pytest.mark.parametrize("lengths", [[1], [7], [1000]])
@pytest.mark.parametrize(
    "value",
    [['a, b]}, "', "c"] * 100, {"a": 'é😀"\\' * 400, "é": "\x7f\n" * 400}, [[[1, [LONG]], {}], [], [[]]]],
)
def test_strings_of_any_kind_pass_byte_for_byte(value: Any, lengths: list[int]) -> None:
    for ascii_only in (True, False):
        data = json.dumps(value, ensure_ascii=ascii_only).encode()
        shown, redactor = streamed(data, 60, lengths)
        assert (shown, redactor.format) == (data, "json")


@pytest.mark.parametrize(
    "first", [f"{LONG}{BEGIN}", f"{BEGIN}{LONG * 20}", f"{LONG}{BEGIN}{LONG * 20}", f"password='{'x' * 9000}{BEGIN}"]
)
def test_a_key_that_a_long_item_begins_goes_on_in_the_items_behind(first: str) -> None:
    value = [first, "MIIE", 1, {"a": "b"}, f"MIIE{LONG}", END, "MIIE"]
    shown, _ = streamed(json.dumps(value).encode(), 60)

    assert json.loads(shown)[1:4] == [KEY_MARK, 1, {"a": "b"}]
    assert b"MIIEy" not in shown
    # A long item may end the key: what is behind it is shown only once it is known to.
    assert json.loads(shown)[4:6] == [KEY_MARK, KEY_MARK]
    assert json.loads(shown)[6] == "MIIE"


@pytest.mark.parametrize("data", ["1, 2", "1 2", "[1] 2", '"a" 1', "", " ", "nul", "[1,]", "[,1]", '{"a":1,}', "{1}"])
def test_what_is_no_json_is_text(data: str) -> None:
    shown, redactor = streamed(data.encode(), 60)
    assert (shown, redactor.format) == (data.encode(), "text")


GOOD = '[{"a": "' + LONG + '"}, {"password":"hunter2"}, '


@pytest.mark.parametrize(
    "bad",
    [
        "[NaN]]",
        "nul]",
        "1e400]",
        '{"a": 1, "a": 2}]',
        '"\\ud800"]',
        '"\\x"]',
        f'"{LONG}\\ud800{LONG}"]',
        f'"{LONG}\n{LONG}"]',
        "]",
        "1}",
        "1] 2",
        "1",
        '"open',
        f'"{LONG}',
        "[1, 2",
        f'{{"a": "{LONG}" "b"}}]',
        "[" * 5000,
    ],
)
def test_json_that_breaks_off_goes_on_as_text(bad: str) -> None:
    data = f'{GOOD}{{"token": "hunter2"}}, {bad} password=hunter2 {LONG * 3}'.encode()
    shown, redactor = streamed(data, 60)

    assert b"hunter2" not in shown
    assert redactor.format == "text"
    shown.decode()
    assert shown.startswith(GOOD.replace("hunter2", PASSWORD_MARK).encode())
    assert streamed(f"{GOOD}{bad}".encode(), 60)[1].format == "text"
    with pytest.raises(UnredactableError, match="not JSON"):
        streamed(data, 60, pointers=["/card"])


@pytest.mark.parametrize(
    "data",
    [
        f'{{"password": {{"a": "{LONG}", "S": hunter2}}}}',
        f'["{BEGIN}", "{LONG}", hunter2]',
        f'{{"password": "hunter2 {LONG}\n"}}',
        f'{{"statusCode": 200, "body": "{LONG}\n hunter2"}}',
    ],
)
def test_json_that_breaks_off_within_a_secret_is_given_up(data: str) -> None:
    with pytest.raises(UnredactableError, match="breaks off"):
        streamed(data.encode(), 60)


def test_a_key_that_stands_twice_in_a_large_object_makes_it_text() -> None:
    value = f'{{"a": "{LONG}", "b": "{LONG}", "a": "password=hunter2"}}'
    shown, redactor = streamed(value.encode(), 60)

    assert shown.decode() == value.replace("hunter2", PASSWORD_MARK)
    assert redactor.format == "text"


def test_objects_of_more_keys_than_are_known_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambda_warden.redaction.json_stream.KEYS", 99)
    data = json.dumps({f"k{i}": i for i in range(100)}).encode()

    assert streamed(data, 60)[0] == data
    assert streamed(data, 60)[1].format == "text"
    assert streamed(json.dumps([dict.fromkeys("abc", LONG)] * 50).encode(), 60)[1].format == "json"


@pytest.mark.parametrize("window", [40, 5000, 100_000])
def test_lines_of_json_are_text(window: int) -> None:
    line = json.dumps({"id": 1, "password": "hunter2", "note": "é"}, ensure_ascii=False) + "\n"
    shown, redactor = streamed((line * 300).encode(), window)

    assert redactor.format == "text"
    assert shown.decode() == line.replace("hunter2", PASSWORD_MARK) * 300


@pytest.mark.parametrize("lengths", [[1], [7], [100_000]])
def test_bytes_that_are_no_text_pass_as_they_are(lengths: list[int]) -> None:
    data = b"\xff\x00password=hunter2" * 400
    shown, redactor = streamed(data, 64, lengths)

    assert (shown, redactor.count, redactor.format) == (data, 0, "base64")
    with pytest.raises(UnredactableError, match="not JSON"):
        streamed(data, 64, lengths, ["/card"])


@pytest.mark.parametrize("lengths", [[1], [7], [100_000]])
def test_text_in_which_bytes_that_are_none_come_later_is_still_redacted(lengths: list[int]) -> None:
    data = "é password=hunter2 ".encode() * 600 + b"\xff\xfe\xe2\x82 password=hunter2 " * 300
    shown, redactor = streamed(data, 64, lengths)

    assert shown == data.replace(b"hunter2", PASSWORD_MARK.encode())
    assert redactor.format == "base64"


@pytest.mark.parametrize("length", [200, 3000, 40_000])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"see {BEGIN}\n", f"\n{END}\nand more"),
        ("Private-Lines: 9\n", "\nPrivate-MAC: 12ab\nand more"),
        ("password='", "'\nand more"),
        ("password=", "\nand more"),
        ("Authorization: AWS4-HMAC-SHA256 ", "\nand more"),
        ("ey" + "J", ".abc123456.def\nand more"),
        ("postgres://bob:", "@host\nand more"),
        ("gh" + "p_" + "a" * 20, "\nand more"),
        ("\\u0070assword=", "\nand more"),
        (f"password='{BEGIN}\n", f"\n{END} hunter2'\nand more"),
    ],
    ids=["key", "putty", "quoted", "bare", "header", "jwt", "url", "token", "escaped", "key in quotes"],
)
def test_a_secret_of_any_length_is_followed_to_its_end(before: str, after: str, length: int) -> None:
    secret = "Zq7" * (length // 3)
    data = f"{'row ' * 500}\n{before}{secret}{after}{' row' * 3000}"
    shown, redactor = streamed(data.encode(), 512, [301])

    assert "Zq7Zq7" not in shown.decode()
    assert "hunter2" not in shown.decode()
    assert "and more row row" in shown.decode()
    assert shown.decode().startswith("row " * 500)
    assert redactor.count >= 1


def test_what_is_nested_deeper_than_is_followed_is_text() -> None:
    data = b"[" * 300 + b"1," * 100 + b"1" + b"]" * 300
    shown, redactor = streamed(data, 60)
    assert (shown, redactor.format) == (data, "text")


BEGINNINGS = [f"{BEGIN}\nZq7\n{END}", "token=\nZq7Zq7", "Private-Lines: 1\nZq7\n"]


@given(st.integers(0, 5000), st.sampled_from(BEGINNINGS), cuts)
def test_what_begins_in_a_line_that_is_taken_out_is_followed(length: int, behind: str, lengths: list[int]) -> None:
    data = f"text\npassword='{'x' * (5000 + length)} {behind}\nmore\n{'row ' * 2000}"
    shown, _ = streamed(data.encode(), 64, [length * 30 for length in lengths])

    assert b"Zq7" not in shown
    assert shown.startswith(b"text\n")
    assert (b"more" in shown) == ("Private" not in behind)


def test_what_was_taken_out_last_is_known_where_its_line_ends() -> None:
    for length in range(5000, 5000 + REACH + 100, 8):
        data = f"password='{'x' * length} passphrase=\nZq7Zq7\nmore\n{'row ' * 600}"
        assert b"Zq7" not in streamed(data.encode(), 64, [100])[0]


ESCAPED = " " + "".join("\\" * 8 + f"u00{ord(character):02x}" for character in "passphrase=")


@pytest.mark.parametrize(
    "giant",
    [
        f"Authorization: Bearer 1{'x' * 3000}",
        f"{BEGIN}{'words, ' * 900}password=hunter2{BEGIN}\nhunter2\n{END}",
        f"password='{'x' * 9000}'",
    ],
    ids=["header", "key", "quoted"],
)
@pytest.mark.parametrize(
    "names", ["token=\n", "token=\nsome{}token=\n", "token=\nsome{}token=\n\nsome{}secret:\n", f"{ESCAPED}\n"]
)
def test_what_stands_behind_a_secret_without_end_is_no_value_of_it_only_because_it_looks_so(
    giant: str, names: str
) -> None:
    for length in range(0, 1200, 37):
        data = f"text {giant}{names.format('a' * length, 'b' * 300)}Zq7Zq7 more\n{'row ' * 1500}"
        shown = streamed(data.encode(), 40, [20])[0].decode()
        assert ("Zq7" not in shown) or ("Zq7" in redact_text(data).text)


def test_a_private_key_without_an_end_goes_to_the_end() -> None:
    data = f"text {BEGIN}\n" + "Zq7Zq7\n" * 5000
    assert streamed(data.encode(), 512)[0] == f"text {KEY_MARK}".encode()


@pytest.mark.parametrize("data", ["a" * 40_000, "0,1.5;" * 9000, "Zm9v+/" * 9000, "eyK.://" * 3, "é" * 30_000])
def test_a_word_of_any_length_that_is_no_secret_passes(data: str) -> None:
    assert streamed(data.encode(), 512)[0] == data.encode()


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(ROWS["rows"] * 50).encode(),
        json.dumps("x y" * 100_000).encode(),
        b"line of text\n" * 20_000,
        b"a" * 300_000,
        b"password='" + b"a" * 300_000,
        f"{BEGIN}\n".encode() + b"a" * 300_000,
        json.dumps({"statusCode": 200, "body": json.dumps(ROWS["rows"] * 40)}).encode(),
        b"[" + b" " * 300_000 + b"1]",
        b'["\\x' + b"a" * 300_000 + b'"]',
        b"\xff" * 300_000,
    ],
)
def test_what_is_held_is_bounded(data: bytes) -> None:
    window, behind, largest = 4096, 0, 0
    redactor = StreamRedactor(window=window)
    taken = 0
    for start in range(0, len(data), 1000):
        for piece in redactor.feed(data[start : start + 1000]):
            taken += piece.taken
            largest = max(largest, piece.taken, len(piece.shown))
        behind = max(behind, start + 1000 - taken)
    assert largest <= 3 * window
    assert behind <= 5 * window
    assert taken + sum(piece.taken for piece in redactor.finish()) == len(data)
