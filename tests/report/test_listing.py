from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.errors import ArgumentError
from lambda_warden.report.listing import distinct, page_of, read_cursor

KEYS = [f"arn:aws:lambda:us-east-1:123456789012:function:f-{i:02}:live" for i in range(10)]


def page_behind(keys: list[str], limit: int, cursor: str | None) -> tuple[list[str], str | None]:
    """One page as a caller gets it, who has nothing but the cursor of the page before."""
    indexes, following = page_of(keys, limit, None if cursor is None else read_cursor(cursor))
    return [keys[i] for i in indexes], following


def pages(keys: list[str], limit: int) -> list[list[str]]:
    page, cursor = page_behind(keys, limit, None)
    found = [page]
    while cursor is not None:
        page, cursor = page_behind(keys, limit, cursor)
        found.append(page)
        assert len(found) <= len(keys), "pages without end"
    return found


def test_a_page_has_as_many_keys_as_asked_for_and_the_last_one_the_rest() -> None:
    assert [len(page) for page in pages(KEYS, 4)] == [4, 4, 2]


@pytest.mark.parametrize("limit", [10, 11])
def test_keys_that_fit_one_page_have_no_cursor(limit: int) -> None:
    assert page_of(KEYS, limit, None) == (list(range(10)), None)


def test_no_keys_are_one_empty_page() -> None:
    assert page_of([], 5, None) == ([], None)


@given(st.lists(st.text(), unique=True).map(sorted), st.integers(1, 20))
def test_pages_cover_all_keys_once_and_in_order(keys: list[str], limit: int) -> None:
    found = pages(keys, limit)

    assert [key for page in found for key in page] == keys
    assert all(len(page) == limit for page in found[:-1])
    assert len(found[-1]) <= limit


@given(st.sets(st.text(), min_size=1), st.sets(st.text()), st.integers(1, 5), st.data())
def test_keys_that_come_and_go_between_pages_neither_hide_nor_repeat_the_others(
    lasting: set[str], passing: set[str], limit: int, data: st.DataObject
) -> None:
    some_of_them = st.sets(st.sampled_from(sorted(passing))) if passing else st.just(set())
    shown, cursor = page_behind(sorted(lasting | data.draw(some_of_them)), limit, None)
    while cursor is not None:
        # Read anew for every page, as each call asks AWS again.
        page, cursor = page_behind(sorted(lasting | data.draw(some_of_them)), limit, cursor)
        shown += page
        assert len(shown) <= len(lasting | passing), "pages without end"

    assert shown == sorted(set(shown))
    assert lasting <= set(shown) <= lasting | passing


def test_a_cursor_works_on_after_the_key_that_it_names_is_gone() -> None:
    _, cursor = page_behind(KEYS, 4, None)
    fewer = [key for key in KEYS if key != KEYS[3]]

    assert page_behind(fewer, 4, cursor)[0] == KEYS[4:8]


def test_a_cursor_behind_all_keys_gives_an_empty_last_page() -> None:
    _, cursor = page_behind(KEYS, 9, None)

    assert page_behind(KEYS[:5], 9, cursor) == ([], None)


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("", id="empty"),
        pytest.param("4", id="a number"),
        pytest.param("not base64!", id="not base64"),
        pytest.param("ümlaut", id="not ASCII"),
        pytest.param(KEYS[3], id="a key"),
        pytest.param(base64.urlsafe_b64encode(KEYS[3].encode()).decode(), id="an encoded key"),
        pytest.param(base64.urlsafe_b64encode(b"before:" + KEYS[3].encode()).decode(), id="another prefix"),
        pytest.param(base64.urlsafe_b64encode(b"after:\xff").decode(), id="not UTF-8"),
        pytest.param(base64.urlsafe_b64encode(b"after:a").decode() + " ", id="with a blank"),
    ],
)
def test_a_foreign_cursor_is_an_error_that_says_what_to_pass(cursor: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        read_cursor(cursor)

    assert caught.value.argument == "cursor"
    assert "next_cursor" in caught.value.expected


def test_notes_are_given_once_each_in_their_order() -> None:
    assert distinct(["b", "a", "b", "c", "a"]) == ["b", "a", "c"]
