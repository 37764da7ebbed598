from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.errors import ArgumentError
from lambda_warden.report.text_page import page_of_text

texts = st.text(st.sampled_from("ab\n é€😀"), max_size=200) | st.text(st.characters(codec="utf-8"), max_size=200)


def pages(text: str, max_bytes: int) -> list[str]:
    found, cursor = [], None
    while True:
        page = page_of_text("log", text, max_bytes, cursor)
        found.append(page.text)
        if page.next_cursor is None:
            return found
        cursor = page.next_cursor


@given(texts, st.integers(4, 60))
def test_the_pages_joined_are_the_whole_and_none_is_too_large_or_empty(text: str, max_bytes: int) -> None:
    found = pages(text, max_bytes)
    assert "".join(found) == text
    assert all(len(page.encode()) <= max_bytes for page in found)
    assert all(found) or found == [""]


@given(texts, st.integers(4, 60))
def test_a_page_ends_behind_a_line_where_it_can(text: str, max_bytes: int) -> None:
    for page in pages(text, max_bytes)[:-1]:
        assert page.endswith("\n") or "\n" not in page


def test_a_cursor_is_good_for_the_text_that_it_is_of() -> None:
    cursor = page_of_text("log", "one\ntwo\nthree\n", 8, None).next_cursor
    assert page_of_text("log", "one\ntwo\nthree\nfour\n", 8, cursor).text == "three\n"
    for name, text in {"log": "one\nmore\ntwo\nthree\n", "other": "one\ntwo\nthree\n", "": "one\ntwo\n"}.items():
        with pytest.raises(ArgumentError, match="changed"):
            page_of_text(name, text, 8, cursor)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "YXQ6",
        *(base64.urlsafe_b64encode(text.encode()).decode() for text in ("at:1:", "at:-1:" + "0" * 16)),
    ],
)
def test_what_is_no_cursor_is_an_error(cursor: str) -> None:
    with pytest.raises(ArgumentError, match="given here"):
        page_of_text("log", "one\ntwo\n", 8, cursor)


@given(st.integers(0, 10**9), st.text("0123456789abcdef", min_size=16, max_size=16))
def test_a_cursor_that_somebody_made_up_is_an_error(place: int, digest: str) -> None:
    cursor = base64.urlsafe_b64encode(f"at:{place}:{digest}".encode()).decode()
    with pytest.raises(ArgumentError):
        page_of_text("log", "é\nü\n", 8, cursor)
