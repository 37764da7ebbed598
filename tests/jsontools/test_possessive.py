"""What a repetition takes, on every Python: those before 3.11.5 took what a failed turn had read, too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lambda_warden.jsontools.possessive import possessive

SERVER = Path(__file__).parents[2] / "server"


@pytest.mark.parametrize(
    ("pattern", "repeat", "text", "taken"),
    [
        (r'(?!")(?:\\.|[^\\])', "+", 'abc"d', "abc"),
        ("ab?c", "+", "acabcab", "acabc"),
        ("[^E]++|(?!END)E", "*", "abEcEND", "abEc"),
        ("ab", "{0,2}", "abababa", "abab"),
        ("ab", "?", "aba", "ab"),
    ],
)
def test_a_failed_turn_takes_nothing(pattern: str, repeat: str, text: str, taken: str) -> None:
    found = re.match(possessive(pattern, repeat), text)
    assert found is not None
    assert found[0] == taken


def test_nothing_is_given_back() -> None:
    assert re.match(possessive("a|b", "*") + "b", "aab") is None


def test_groups_are_repeated_so_everywhere() -> None:
    group = re.compile(r"(?<!\\)\)(?:[*+?]|\{\{?[0-9,]+\}?\})\+(?!\+)")
    found = [str(path) for path in SERVER.rglob("*.py") for line in path.read_text().splitlines() if group.search(line)]
    assert [path for path in found if not path.endswith("possessive.py")] == []
