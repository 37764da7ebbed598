"""Every character that nobody sees is shown: over all of Unicode, held against a library that knows its properties."""

from __future__ import annotations

import sys
import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.report.visible import MARKS_IN_A_ROW, inline, is_hidden, scripts_mixed_in, show, visible

ALL = list(map(chr, range(sys.maxunicode + 1)))
EVERY = "".join(ALL)
UNSEEN = regex.compile(r"\p{Default_Ignorable_Code_Point}|\p{C}|\p{Zl}|\p{Zp}|\p{Zs}")
SEEN = [each for each in ALL if not UNSEEN.match(each)]
NAMED = [
    "\u2800",
    *map(chr, range(0x1D173, 0x1D17B)),
    *map(chr, range(0x1BCA0, 0x1BCA4)),
    *map(chr, range(0x13430, 0x13440)),
    "\U000110bd",
    *"\u00a0\u00ad\u034f\u115f\u1160\u200b\u200e\u202e\u2066\u2028\u3000\u3164\ufeff\uffa0\x00\x1b\x7f\x85\ud800\ue000",
    "\U000e0041",
    "\U000e0100",
]


def test_every_character_that_unicode_calls_unseen_is_shown() -> None:
    passed = [each for each in ALL if UNSEEN.match(each) and each not in " \n\t" and not is_hidden(each)]
    # Python's own Unicode and the library's are of different years: what only one of them knows is assigned since.
    assert [each for each in passed if unicodedata.category(each) == "Cn"] == []
    assert passed == []


def test_what_is_seen_is_not_touched() -> None:
    touched = [each for each in SEEN if is_hidden(each) and unicodedata.category(each) != "Cn"]
    assert len(touched) <= 6, "those without ink, which no property tells"


@pytest.mark.parametrize("character", NAMED, ids=lambda each: f"U+{ord(each):04X}")
def test_each_is_written_as_an_escape(character: str) -> None:
    shown = show(f"a{character}b")
    code = ord(character)
    assert shown == (f"a\\u{code:04x}b" if code <= 0xFFFF else f"a\\U{code:08x}b", 1)
    assert show(character * 300).hidden == 300


@given(st.text(st.sampled_from([*NAMED, *'ab \n\t"', "\u0301", "\U0001f600", "世"])))
def test_showing_twice_is_showing_once(text: str) -> None:
    once = show(text)
    assert show(once.text) == (once.text, 0)


@given(st.text())
def test_a_line_of_ours_has_one_line(text: str) -> None:
    assert len(inline(text).splitlines()) <= 1


def test_marks_stand_on_letters_and_in_short_runs() -> None:
    for mark in (each for each in ALL if unicodedata.category(each) in ("Mn", "Me") and not is_hidden(each)):
        assert visible("a" + mark * MARKS_IN_A_ROW) == "a" + mark * MARKS_IN_A_ROW
        assert show("a" + mark * 20).hidden == 20 - MARKS_IN_A_ROW
        assert show(f'"{mark}').hidden == show(mark).hidden == show(f"a\n{mark}").hidden == 1


@pytest.mark.parametrize(
    "text",
    [
        "👩🏽\u200d💻",
        "❤\ufe0f\u200d🔥",
        "👨\u200d👩\u200d👧",
        "1\ufe0f\u20e3",
        "☺\ufe0f",
        "a\r\nb",
        "नमस्ते",
        "Ça va, שלום",
        "e\u0301",
    ],
)
def test_what_is_in_use_stays(text: str) -> None:
    assert show(text) == (text, 0)


@pytest.mark.parametrize(
    "text", ["a\u200db", "😀\u200d", "a\ufe0f", "1\ufe0f", "\u2800\u200d\u2800", "a\rb", "\ufe0f", "\u200d"]
)
def test_what_is_not_is_shown(text: str) -> None:
    assert show(text).hidden >= 1


@pytest.mark.parametrize("script", ["Cyrillic", "Greek", "Armenian", "Cherokee", "Coptic", "Hebrew", "Arabic"])
def test_a_letter_of_another_script_is_told(script: str) -> None:
    letters = regex.findall(rf"(?=\p{{L}})\p{{Script={script}}}", EVERY)
    assert letters
    for each in letters:
        if unicodedata.category(each) != "Cn" and not unicodedata.name(each).startswith(("OHM", "MODIFIER")):
            assert "Latin" in scripts_mixed_in(f"amount{each}"), hex(ord(each))


def test_latin_of_all_languages_and_cjk_are_not() -> None:
    for each in regex.findall(r"(?=\p{L})\p{Script=Latin}", EVERY):
        if unicodedata.name(each, "").startswith("LATIN"):
            assert scripts_mixed_in(f"amount{each}") == (), hex(ord(each))
    for word in ("amount", "größe", "注文ID", "ユーザーid", "주문id", "сумма", "latency_µs", "ㄅid", "total_1", ""):
        assert scripts_mixed_in(word) == ()
    assert scripts_mixed_in("\uff50ay") == ("Fullwidth", "Latin")
    assert scripts_mixed_in("αя") == ("Cyrillic", "Greek")
