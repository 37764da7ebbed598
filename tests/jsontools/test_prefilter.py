"""Patterns are found wherever they stand."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.jsontools.prefilter import WINDOW, Prefilter, windows


@given(st.lists(st.sampled_from(["ab", "b+", "é", "\n", "a", "😀", "ba"])).map("".join))
def test_one_of_several_patterns_is_enough(text: str) -> None:
    assert Prefilter("abb+", "éa|a😀").holds(text) == bool(re.search("abb+|éa|a😀", text))


@given(st.integers(0, 3 * WINDOW), st.integers(0, 300))
def test_windows_hold_everything_and_what_stands_where_they_meet(size: int, reach: int) -> None:
    data = b"0123456789" * (size // 10)
    end = 0
    for window in windows(data, reach):
        begin = max(0, end - reach)
        assert window == data[begin : begin + len(window)]
        end = begin + len(window)
    assert end == len(data)
