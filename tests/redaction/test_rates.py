"""How much of what is secret is found, and how much of what is harmless is left, over corpora that generators make."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from urllib.parse import quote, unquote

import pytest
from pydantic import JsonValue

from lambda_warden.redaction.detectors import DETECTORS
from lambda_warden.redaction.text import redact_text
from lambda_warden.redaction.value import redact_value
from support.harmless import MEMBERS, MESSAGES, values
from support.secret_names import NAMES, SECRET, STYLES, WRITINGS, pairs
from support.secret_names import shows as shows_pair
from support.secret_shapes import KINDS, make, shows

GOAL = 0.05
"""What may pass of secrets, and what may be changed of the harmless."""


@pytest.mark.parametrize("around", ["{}", "got {} here", '{{"value": "{}"}}', "a\n{}\nb", "x={}"])
def test_kinds_with_a_shape_of_their_own_are_found(around: str) -> None:
    shown = [kind for kind in KINDS if shows(kind, redact_text(around.format(make(kind)[0])).text)]

    assert len(KINDS) >= 150
    assert len(shown) <= GOAL * len(KINDS), shown


@pytest.mark.parametrize("seed", range(3))
def test_kinds_with_a_shape_are_found_as_strings_of_json(seed: int) -> None:
    shown = [
        kind
        for kind in KINDS
        if shows(kind, json.dumps(redact_value({"rows": [{"note": make(kind, seed)[0]}]}).value), seed)
    ]
    assert len(shown) <= GOAL * len(KINDS), shown


def test_kinds_with_a_shape_are_found_percent_encoded() -> None:
    """Except for what depends on its place, and what is an address itself."""
    encoded = [kind for kind in KINDS if "://" not in KINDS[kind] and " " not in KINDS[kind]]
    shown = [
        kind for kind in encoded if shows(kind, unquote(redact_text(f"v={quote(make(kind)[0], safe='')}&b=1").text))
    ]

    assert len(shown) <= GOAL * len(encoded), shown


def test_values_are_found_by_their_names_in_all_writings() -> None:
    """Of all names, styles and writings every seventh, which has each name in each writing in some style."""
    made, shown = Counter[str](), Counter[str]()
    misses = []
    for name, writing, text in islice(pairs(), 0, None, 7):
        made[writing] += 1
        if shows_pair(redact_text(text).text):
            shown[writing] += 1
            misses.append(f"{name} as {writing}")

    assert len(NAMES) >= 200
    assert made.keys() == WRITINGS.keys()
    assert shown.total() <= GOAL * made.total(), misses
    assert all(shown[writing] <= GOAL * made[writing] for writing in WRITINGS), misses


@pytest.mark.parametrize("style", STYLES)
def test_no_spelling_hides_the_name_of_a_member(style: str) -> None:
    shown = [
        name
        for name in NAMES
        if shows_pair(json.dumps(redact_value({"a": [{STYLES[style](name.split()): SECRET}]}).value))
    ]
    assert len(shown) <= GOAL * len(NAMES), shown


def test_messages_keep_their_cause() -> None:
    changed = {text: shown for text in MESSAGES if (shown := redact_text(text).text) != text}

    assert len(MESSAGES) >= 100
    assert len(changed) <= GOAL * len(MESSAGES), changed


def test_harmless_members_stay() -> None:
    changed = [(name, value) for name, value in MEMBERS if redact_value({name: value}).count]
    in_text = [(name, value) for name, value in MEMBERS if redact_text(json.dumps({name: value})).count]

    assert len(MEMBERS) >= 60
    assert len(changed) <= GOAL * len(MEMBERS), changed
    assert len(in_text) <= GOAL * len(MEMBERS), in_text


def test_harmless_values_are_never_hit_by_shape() -> None:
    changed = [value for value in values(21_000) if redact_text(value).count]
    assert not changed


def test_harmless_values_stay_in_json() -> None:
    rows: JsonValue = [{"id": value, "detail": {"value": value}} for value in values(2_000, seed=2)]
    assert redact_value(rows).value is rows


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda each: f"{each.kind} {each.prefixes[0]}")
def test_each_detector_takes_what_it_says_and_no_less(detector: object) -> None:
    assert isinstance(detector, type(DETECTORS[0]))
    assert detector.least >= 10
    assert detector.kind.replace("-", "").isalpha()
    assert detector.kind == detector.kind.lower()
    assert all(len(prefix) > 1 for prefix in detector.prefixes)
    for prefix in detector.prefixes:
        assert detector.end(prefix + "a" * (detector.least - 1), 0, prefix) is None
        assert detector.end(f"x{prefix}" + "a1B2" * 40, 1, prefix) is None or not prefix[0].isalnum()
