"""Secrets in a JSON text that comes piece by piece: what fits a window is redacted as the value that it is.

A container that is larger than the window is entered, and its entries go in batches. What their names, their places
and the entries before them say of them goes with them. Where that is not known yet, since it may come later, they are
taken for secrets.
"""

from __future__ import annotations

import base64
import binascii
import codecs
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import JsonValue
from pydantic_core import from_json

from lambda_warden.jsontools.pointer import Pointer, pointers_below
from lambda_warden.jsontools.strict_json import json_bytes, may_hold_surrogates, parse_json
from lambda_warden.model.api_gateway import BODY, IS_BASE64, STATUS, is_http_status
from lambda_warden.model.json_entries import MEMBER, SPACES, Entries, end_of_space
from lambda_warden.redaction.json_string import JsonString, beginning
from lambda_warden.redaction.piece import Piece, Stage, as_it_was, joined, taken_out
from lambda_warden.redaction.text import closes_key, mark, opens_key, redact_text, secret_named, suspicion
from lambda_warden.redaction.text_stream import TextStream
from lambda_warden.redaction.value import (
    DYNAMODB_STRING,
    HEADER,
    NAMES,
    NAMES_BY_RANK,
    PLACE,
    VALUES,
    names_header,
    redact_value,
)

_STAND_INS: Final = {"password": "password", "secret": "secret", "token": "token", "key": "api_key"}
"""For each kind of secret, a name that says it."""
_DOUBTFUL: Final = "secret"
"""The name of what may be a secret, as far as is known."""
_WITHHELD: Final = mark("withheld")
_DIGITS: Final = 12  # of an index: more items don't come
_OPENED_KEY: Final = "-----BEGIN PRIVATE KEY-----"

_CLOSING: Final = {ord("]"): "array", ord("}"): "object"}
_OPENING: Final[Mapping[bytes, Literal["array", "object"]]] = {b"[": "array", b"{": "object"}

LEVELS: Final = 200
"""Containers that may be open at once, each larger than the window."""
KEYS: Final = 1 << 17
"""Members of one object larger than the window among which a repeated key is noticed."""

Nested = Callable[[Sequence[Pointer]], Stage]
"""Makes what redacts the text that a string holds as an answer of its own."""


class NotJsonError(ValueError):
    """A text turns out to be no strict JSON. What was not passed on so far is in `rest`."""


@dataclass(slots=True)
class _Frame:
    """An open container, larger than the window.

    Attributes:
        name: what its name says of the strings in it, as a name that says the same; None if nothing.
        pointers: the places below it that must not be shown.
        hidden: whether it stands at such a place itself.
        entries: how many of its entries have passed.
        more: whether a comma stood last, so that another entry has to come.
        in_key: whether the items are lines of a private key.
        names: its members that may name another one, with what they say; None for one that is no string.
        facts: its members that say whether `body` is that of an API Gateway response, if it can be one.
    """

    kind: Literal["root", "array", "object"]
    name: str | None = None
    pointers: Sequence[Pointer] = ()
    hidden: bool = False
    entries: int = 0
    more: bool = False
    in_key: bool = False
    names: dict[str, tuple[str | None] | None] = field(default_factory=dict)
    facts: dict[str, JsonValue] | None = None
    keys: set[int] = field(default_factory=set)
    copies: int = 1

    def name_beside(self, *, ended: bool) -> str | None:
        """What the members that name another one say of it."""
        for key in NAMES_BY_RANK:
            if key not in self.names:
                if not ended:
                    return _DOUBTFUL
            elif (text := self.names[key]) is not None:
                return text[0]
        return None


class JsonStream:
    """Redacts one JSON text; a `Stage`. Raises NotJsonError, once what came before was given.

    Args:
        pointers: the places that are replaced whole.
        window: bytes that are looked at together. It holds no more than some of these.
        nested: redacts the body of an API Gateway response; if not given, a body is text.

    Attributes:
        strict: whether no key is known to stand twice in an object, nor may.
    """

    def __init__(self, pointers: Sequence[Pointer], window: int, nested: Nested | None = None) -> None:
        self.count = 0
        self.strict = True
        self._window = window
        self._nested = nested
        self._frames = [_Frame("root", pointers=tuple(("0", *pointer) for pointer in pointers))]
        self._scan = Entries()
        self._data = b""
        self._out: list[Piece] = []
        self._string: JsonString | None = None
        self._stage: Stage | None = None
        self._between = False  # an entry has passed, and its comma has not
        self._broken = False

    def feed(self, data: bytes) -> list[Piece]:
        """Take more; see `Stage`. Where it is no JSON, `broken` is true then."""
        self._data += data
        return self._given(final=False)

    def finish(self) -> list[Piece]:
        """Give the rest; see `Stage`."""
        return self._given(final=True)

    @property
    def broken(self) -> bool:
        """Whether it turned out to be no strict JSON. Then `rest` is what was not given so far."""
        return self._broken

    @property
    def rest(self) -> bytes:
        """What came and was not given so far, as it was."""
        return (self._string.waiting() if self._string else b"") + self._data

    @property
    def withholds(self) -> bool:
        """Whether what comes next may be secret for what stood before it, which it does not tell itself."""
        named = any(frame.hidden or frame.name or frame.in_key for frame in self._frames)
        within = isinstance(self._stage, TextStream) and self._stage.withholds
        return named or within or (self._string is not None and not isinstance(self._stage, TextStream))

    def _given(self, *, final: bool) -> list[Piece]:
        try:
            while not self._broken and self._advance(final=final):
                pass
        except (ValueError, RecursionError):
            self._broken = True
        given, self._out = self._out, []
        return given

    def _advance(self, *, final: bool) -> bool:
        """Take one step. False: more has to come, or all has been said."""
        if self._string is not None:
            return self._read_string(self._string, final=final)
        frame = self._frames[-1]
        if frame.kind == "root":
            return self._at_root(frame, final=final)
        if self._between:
            return self._pass_comma(frame, final=final)
        if len(self._data) < self._window and not final:
            return False
        return self._pass_entries(frame, final=final)

    def _at_root(self, frame: _Frame, *, final: bool) -> bool:
        rest = self._data.lstrip(SPACES)
        if self._between:
            if rest:
                raise NotJsonError("more follows")
            self._pass_on(len(self._data))
            return False
        if rest[:1] in (b"{", b"[", b'"') and rest:
            self._enter(frame, 0, None, pointers_below(frame.pointers, "0"))
            return True
        if not final:
            if len(self._data) >= self._window:
                raise NotJsonError("no value")
            return False
        self._redact_items(frame, self._take(len(self._data)))
        self._between = True
        return True

    def _pass_comma(self, frame: _Frame, *, final: bool) -> bool:
        at = end_of_space(self._data, 0)
        if at == len(self._data):
            if final:
                raise NotJsonError("a container does not end")
            self._pass_on(at, hidden=frame.hidden)
            return False
        if self._data[at : at + 1] == b",":
            self._pass_on(at + 1, hidden=frame.hidden)
            self._between, frame.more = False, True
        else:
            self._close(frame, at)
        return True

    def _close(self, frame: _Frame, at: int) -> None:
        if _CLOSING.get(self._data[at]) != frame.kind:
            raise NotJsonError("a bracket has no partner")
        self._pass_on(at + 1, hidden=frame.hidden)
        self._frames.pop()
        self._scan = Entries()
        self._between = True

    def _pass_entries(self, frame: _Frame, *, final: bool) -> bool:
        end = self._scan.last_end(self._data)
        if end is None:
            if final:
                raise NotJsonError("a container does not end")
            self._enter_next(frame)
            return True
        batch = self._data[: end.at]
        if end.closed and not frame.more and not batch.strip(SPACES):  # it is empty
            self._close(frame, end.at)
            return True
        if frame.kind == "array":
            self._redact_items(frame, batch)
        else:
            self._redact_members(frame, batch, ended=end.closed)
        self._take(end.at)
        self._between = end.closed
        if not end.closed:
            self._pass_on(1, hidden=frame.hidden)
            self._scan.taken(end.at + 1)
            frame.more = True
        return True

    def _pass_on(self, length: int, *, hidden: bool = False) -> None:
        data = self._take(length)
        self._out.append(taken_out(length) if hidden else as_it_was(data))

    def _take(self, length: int) -> bytes:
        data, self._data = self._data[:length], self._data[length:]
        return data

    # Entries that are larger than the window

    def _enter_next(self, frame: _Frame) -> None:
        if frame.kind == "array":
            below = pointers_below(frame.pointers, str(frame.entries))
            frame.entries += 1
            self._enter(frame, 0, frame.name, below)
            return
        member = MEMBER.match(self._data)
        if member is None:
            raise NotJsonError("no member, or one with a key of such a length")
        key: str = from_json(member[1])
        self._note(frame, {key: None})
        if key in VALUES:
            name = frame.name_beside(ended=False)
        elif key == DYNAMODB_STRING and not frame.entries:
            name = frame.name
        else:
            name = _stand_in(key)
        frame.entries += 1
        shown = self._shown_key(frame, key)
        front = b"" if shown == key else self._data[: member.start(1)] + json_bytes(shown) + b":"
        self._enter(frame, member.end(), name, pointers_below(frame.pointers, key), key, front)

    def _enter(
        self,
        frame: _Frame,
        at: int,
        name: str | None,
        pointers: Sequence[Pointer],
        key: str | None = None,
        front: bytes = b"",
    ) -> None:
        """Go into the value that stands at `at`, behind its key; `front` stands for that, if it is not shown as it was.

        Args:
            frame: the container that it is in.
            name: what its name says of it.
            pointers: the places below it that must not be shown.
        """
        start = end_of_space(self._data, at)
        opening = self._data[start : start + 1]
        if opening not in (b"{", b"[", b'"') or not opening or len(self._frames) > LEVELS:
            raise NotJsonError("no value, or too many levels")
        covered = () in pointers and not frame.hidden
        head = self._take(start + 1)
        self._scan = Entries()
        if opening == b'"':
            self._show(frame, head, (front + opening) if front else head)
            withheld = PLACE if covered else None
            self._open_string(frame, name, pointers, key, withheld)
            return
        if covered:
            self.count += 1
            self._show(frame, head, (front or head[:-1]) + json_bytes(PLACE))
        else:
            self._show(frame, head, (front + opening) if front else head)
        facts: dict[str, JsonValue] | None = None
        if frame.kind == "root" and opening == b"{" and self._nested is not None:
            facts = {}
        inside = _Frame(_OPENING[opening], name, pointers, frame.hidden or covered, facts=facts)
        self._frames.append(inside)
        self._between = False

    def _show(self, frame: _Frame, data: bytes, shown: bytes) -> None:
        if frame.hidden:
            self._out.append(taken_out(len(data)))
        else:
            self._out.append(Piece(len(data), shown, changed=shown is not data))

    def _open_string(
        self, frame: _Frame, name: str | None, pointers: Sequence[Pointer], key: str | None, withheld: str | None
    ) -> None:
        if key is not None and key in NAMES:
            frame.names[key] = (_DOUBTFUL,)
        stage: Stage | None = None
        if withheld is None and name:
            withheld = mark(secret_named(name) or HEADER)
        elif withheld is None and frame.in_key:
            withheld = mark("private-key")
        elif withheld is None:
            stage = TextStream(self._window)
            if frame.facts is not None and key == BODY:
                stage = self._body_stage(frame.facts, beginning(self._data), pointers, ended=False)
            if stage is None:
                withheld = _WITHHELD
        if withheld is not None and not frame.hidden:
            self.count += 1
            self._out.append(Piece(0, withheld.encode(), changed=True))
        self._string, self._stage = JsonString(stage), stage

    def _read_string(self, string: JsonString, *, final: bool) -> bool:
        frame = self._frames[-1]
        pieces, used = string.read(self._data, final=final)
        self._take(used)
        self._out += [taken_out(piece.taken) for piece in pieces] if frame.hidden else pieces
        if not string.ended:
            return False
        if self._stage is not None and not frame.hidden:
            self.count += self._stage.count
        if frame.kind == "array" and isinstance(self._stage, TextStream):
            frame.in_key = self._stage.opens_key
        self._string = self._stage = None
        self._between = True
        return True

    # Entries of which some fit the window together

    def _redact_items(self, frame: _Frame, batch: bytes) -> None:
        items = _read(b"[" + batch + b"]")
        if not isinstance(items, list) or not items or (frame.kind == "root" and len(items) != 1):
            raise NotJsonError("no items")
        first, frame.entries = frame.entries, frame.entries + len(items)
        among = suspicion(batch)
        if frame.hidden or not (among or frame.name or frame.pointers or frame.in_key):
            self._show(frame, batch, batch)
            return
        # A private key that has begun in an item goes on in those that follow.
        before: list[JsonValue] = [_OPENED_KEY] if frame.in_key else []
        pointers = _counted_from(frame.pointers, first - len(before))
        values, count = _redact_named([*before, *items], frame.name, pointers)
        for index, item in enumerate(items, first):
            if isinstance(item, str) and () not in pointers_below(frame.pointers, str(index)):
                frame.in_key = not closes_key(item) if frame.in_key else opens_key(item)
        self.count += count - len(before)
        self._show_entries(
            frame,
            batch,
            [
                None if after == item else (None, after)
                for item, after in zip(items, values[len(before) :], strict=True)
            ],
        )

    def _redact_members(self, frame: _Frame, batch: bytes, *, ended: bool) -> None:
        members = _read(b"{" + batch + b"}")
        if not isinstance(members, dict) or not members:
            raise NotJsonError("no members")
        self._note(frame, members)
        alone = len(members) == 1 and frame.entries == 0
        frame.entries += len(members)
        named = {key: frame.name_beside(ended=ended) for key in VALUES.intersection(members)}
        if alone and DYNAMODB_STRING in members:
            named[DYNAMODB_STRING] = frame.name
        body = members.get(BODY) if frame.facts is not None else None
        among = suspicion(batch)
        if frame.hidden or not (among or frame.pointers or any(named.values()) or isinstance(body, str)):
            self._show(frame, batch, batch)
            return
        apart = {*named, BODY} if isinstance(body, str) else named.keys()
        own = {key: item for key, item in members.items() if key not in apart}
        redacted = redact_value(own, frame.pointers)
        assert isinstance(redacted.value, dict)  # noqa: S101 - no place is the container's own
        self.count += redacted.count
        values = dict(zip(own, redacted.value.values(), strict=True))
        for key, name in named.items():
            # An array of one, so that the place of the value itself is one below it.
            places = [("0", *pointer) for pointer in pointers_below(frame.pointers, key)]
            (values[key],), count = _redact_named([members[key]], name, places)
            self.count += count
        if isinstance(body, str) and frame.facts is not None:
            values[BODY] = self._redacted_body(frame.facts, body, pointers_below(frame.pointers, BODY), ended=ended)
        renamed = {key for key, after in zip(own, redacted.value, strict=True) if key != after}
        shown: list[tuple[str | None, JsonValue] | None] = []
        for key, item in members.items():
            if key in renamed:
                shown.append((self._shown_key(frame, key, counted=True), values[key]))
            else:
                shown.append(None if values[key] == item else (None, values[key]))
        self._show_entries(frame, batch, shown)

    def _show_entries(self, frame: _Frame, batch: bytes, shown: Sequence[tuple[str | None, JsonValue] | None]) -> None:
        """Pass entries on: as they were or, where there is another value and perhaps key, with that in its place."""
        if not any(shown):
            self._show(frame, batch, batch)
            return
        starts = [0, *(end + 1 for end in Entries().all_ends(batch))]
        ends = [*(start - 1 for start in starts[1:]), len(batch)]
        written: list[bytes] = []
        for start, end, entry in zip(starts, ends, shown, strict=True):
            raw = batch[start:end]
            if entry is None:
                written.append(raw)
                continue
            key, value = entry
            member = MEMBER.match(raw) if frame.kind == "object" else None
            front = raw[: member.end() if member and key is None else end_of_space(raw, 0)]
            if key is not None:
                front += json_bytes(key) + b":"
            written.append(front + json_bytes(value) + raw[len(raw.rstrip(SPACES)) :])
        self._show(frame, batch, b",".join(written))

    def _redacted_body(
        self, facts: Mapping[str, JsonValue], body: str, pointers: Sequence[Pointer], *, ended: bool
    ) -> str:
        if () in pointers:
            self.count += 1
            return PLACE
        stage = self._body_stage(facts, body, pointers, ended=ended)
        if stage is None:
            self.count += 1
            return _WITHHELD
        shown = joined([*stage.feed(body.encode()), *stage.finish()]).decode()
        self.count += stage.count
        return shown

    def _body_stage(
        self, facts: Mapping[str, JsonValue], start: str, pointers: Sequence[Pointer], *, ended: bool
    ) -> Stage | None:
        """What redacts the string at /body, given its start; None where that is not certain.

        In an API Gateway response it holds an answer of its own, and is written back as a string that holds that,
        redacted. Where what tells so may come later, it is withheld, and so is text in base64.
        """
        if self._nested is None or (STATUS not in facts and not ended):
            return None
        if not is_http_status(facts.get(STATUS)):
            return TextStream(self._window)
        is_base64 = facts.get(IS_BASE64, not ended) is True
        return None if is_base64 and _may_be_text_in_base64(start) else self._nested(pointers)

    # Keys

    def _note(self, frame: _Frame, members: Mapping[str, JsonValue]) -> None:
        """Keep in mind what members say of others, and that they are there."""
        for key in NAMES.intersection(members):
            text = members[key]
            frame.names[key] = (_stand_in(text),) if isinstance(text, str) else None
        if frame.facts is not None:
            frame.facts.update((key, members[key]) for key in (STATUS, IS_BASE64) if key in members)
        keys = {hash(key) for key in members}
        if len(frame.keys) + len(keys) > KEYS or not frame.keys.isdisjoint(keys):
            self.strict = False
        else:
            frame.keys |= keys

    def _shown_key(self, frame: _Frame, key: str, *, counted: bool = False) -> str:
        """A key without the secrets in it, unlike all others of its object that are known."""
        redacted = redact_text(key)
        if not redacted.count:
            return key
        self.count += 0 if counted else redacted.count
        shown = redacted.text
        while hash(shown) in frame.keys:
            frame.copies += 1
            shown = f"{redacted.text} ({frame.copies})"
        frame.keys.add(hash(shown))
        return shown


def _redact_named(items: list[JsonValue], name: str | None, pointers: Iterable[Pointer]) -> tuple[list[Any], int]:
    """Redact items of an array with a name."""
    if name is None:
        redacted = redact_value(items, list(pointers))
        value = redacted.value
    else:
        redacted = redact_value({name: items}, [(name, *pointer) for pointer in pointers])
        value = redacted.value[name] if isinstance(redacted.value, dict) else None
    assert isinstance(value, list)  # noqa: S101 - no place is the container's own
    return value, redacted.count


def _read(data: bytes) -> JsonValue:
    """Read JSON strictly, and as what can be written again.

    Raises:
        ValueError: if it is none.
    """
    value: JsonValue = parse_json(data)  # type: ignore[assignment]
    if may_hold_surrogates(data):
        json_bytes(value)
    return value


def _stand_in(name: str) -> str | None:
    """A name that says of a string what this one says; None if it says nothing."""
    kind = secret_named(name)
    return _STAND_INS[kind] if kind else HEADER if names_header(name) else None


def _counted_from(pointers: Iterable[Pointer], first: int) -> list[Pointer]:
    """Pointers into an array as such into the part of it that begins with the item `first`."""
    shifted: list[Pointer] = []
    for pointer in pointers:
        token = pointer[0]
        if token.isascii() and token.isdigit():
            index = int(token) - first if len(token) < _DIGITS and str(int(token)) == token else -1
            if index >= 0:
                shifted.append((str(index), *pointer[1:]))
        else:
            shifted.append(pointer)
    return shifted


def _may_be_text_in_base64(start: str) -> bool:
    try:
        data = base64.b64decode(start[: len(start) // 4 * 4], validate=True)
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except (binascii.Error, ValueError):
        return False
    return bool(data)
