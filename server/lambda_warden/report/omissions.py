"""Sums up what a preview left out as a short list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from lambda_warden.jsontools.pointer import write_pointer
from lambda_warden.jsontools.preview import Cut, Place
from lambda_warden.model.result import Omission

_LISTED: Final = 20
_PATHS_BYTES: Final = (256, 2000)
_TOKEN_CHARACTERS: Final = 64
_EXACT_CHARACTERS: Final = 100
"""Of a longer path, there is no more than what its group has in common, even if it is the only one."""
_ANY: Final = "*"
_ANY_BELOW: Final = "**"

Pattern = tuple[str, ...]


def summarize(cuts: Iterable[Cut], budget: int) -> tuple[Omission, ...]:
    """List what was cut, and where.

    Cuts at places that differ in their indexes only are one entry, with `*` for the index, and a key of more than 64
    characters is a `*`, too. Where that makes more than 20 entries, or their paths take more than a quarter of the
    budget (256 to 2,000 bytes), other keys become `*` as well: the last one first, and at last all; and if even that
    is too much, `/**` stands for any place.

    Args:
        cuts: any number of them, with places in the preview.
        budget: bytes that the preview itself may take.
    """
    cuts = list(cuts)
    limit = max(_PATHS_BYTES[0], min(_PATHS_BYTES[1], budget // 4))
    for widen in _WIDER:
        entries = _grouped(cuts, widen)
        if len(entries) <= _LISTED and sum(len(entry.path.encode()) for entry in entries) <= limit:
            return entries
    return tuple(
        entry.model_copy(update={"path": f"/{_ANY_BELOW}"}) for entry in _grouped(cuts, lambda _: (_ANY_BELOW,))
    )


def _grouped(cuts: list[Cut], widen: Callable[[Place], Pattern]) -> tuple[Omission, ...]:
    groups: dict[tuple[Pattern, str, bool], list[Cut]] = {}
    for cut in cuts:
        groups.setdefault((widen(cut.place), cut.unit, cut.total is None), []).append(cut)
    return tuple(_entry(pattern, group) for (pattern, _, _), group in groups.items())


def _entry(pattern: Pattern, group: list[Cut]) -> Omission:
    first = group[0]
    totals = [cut.total for cut in group if cut.total is not None]
    exact = write_pointer(tuple(map(_token, first.place)))
    return Omission.model_construct(
        path=exact if len(group) == 1 and len(exact) <= _EXACT_CHARACTERS else write_pointer(pattern),
        kept=sum(cut.kept for cut in group),
        total=sum(totals) if totals else None,
        unit=first.unit,
        places=len(group),
    )


def _over_indexes(place: Place) -> Pattern:
    return tuple(_ANY if isinstance(token, int) else _token(token) for token in place)


def _over_last_keys(place: Place) -> Pattern:
    return (*_over_indexes(place)[:-1], _ANY) if place else ()


def _under_first_key(place: Place) -> Pattern:
    return (*_over_indexes(place)[:1], *[_ANY] * (len(place) - 1))


def _over_all(place: Place) -> Pattern:
    return (_ANY,) * len(place)


_WIDER: Final = (_over_indexes, _over_last_keys, _under_first_key, _over_all)


def _token(token: str | int) -> str:
    text = str(token)
    return text if len(text) <= _TOKEN_CHARACTERS else _ANY
