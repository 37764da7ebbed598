"""How commands show things: tables and colours on a terminal, plain lines in a pipe, progress on stderr.

On a terminal a table is fitted to the width: long cells wrap, very long ones are cut, and where the columns have no
room each row is shown as a block. In a pipe nothing is coloured, wrapped or cut: a row is a line, its cells parted by
tabs, without titles. With NO_COLOR, or TERM=dumb, a terminal gets no colours either.

Every text is written with what nobody sees in it as escapes, here, so that nothing from outside moves a terminal's
cursor or passes for a line of ours.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TextIO

import click
from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from lambda_warden.report.visible import inline

STATES: Final = {"ok": "green", "warning": "yellow", "problem": "red"}
"""Colours of findings' states."""

_GAP: Final = 2
_LEAST: Final = 10
"""Characters that a column needs to be read, if its cells may wrap."""
_LINES: Final = 4
"""Lines that a cell fills at the most; a command that shows the whole of it is near."""
_PROGRESS_AFTER: Final = 1.0

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
json_lines_option = click.option("--json", "as_json", is_flag=True, help="Print JSON lines instead.")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        title: stands above it on a terminal.
        whole: whether its cells are never wrapped, as ids, so that they can be copied.
        extra: whether it is left out on a terminal that is too narrow for all columns.
        styles: colours of cells, by their text.
    """

    title: str
    whole: bool = False
    extra: bool = False
    styles: Mapping[str, str] = field(default_factory=dict)


def shown_text(value: object) -> str:
    """Text from anywhere in a line of ours, which it can't end; `-` for None."""
    return "-" if value is None else inline(str(value)).replace("\t", "\\t")


def on_terminal() -> bool:
    """Whether what is printed goes to a terminal."""
    return sys.stdout.isatty()


def print_json(value: object) -> None:
    """Print a JSON document."""
    _write(_in_ascii(json.dumps(value, indent=2)))


def json_line(value: object) -> str:
    """JSON for a line of the output."""
    return _in_ascii(json.dumps(value))


Part = str | tuple[str, str]
"""A text, alone or with its style: `("denied", "red")`."""


def print_line(*parts: Part, label: Part = "") -> None:
    """Print a line. On a terminal it wraps behind its label, which is never broken."""
    head, *texts = (
        (shown_text(each), "") if isinstance(each, str) else (shown_text(each[0]), each[1]) for each in (label, *parts)
    )
    if not on_terminal():
        _write("".join(text for text, _ in (head, *texts)).rstrip())
        return
    console, indent = _console(sys.stdout), cell_len(head[0])
    wrapped = Text.assemble(*texts).wrap(console, max(console.width - indent, _LEAST), overflow="fold")
    for number, line in enumerate(wrapped or [Text()]):
        line.rstrip()
        console.print(Text.assemble(" " * indent if number else Text(*head), line), soft_wrap=True)


def print_fields(fields: Iterable[tuple[str, object]], indent: int = 0) -> None:
    """Print names and values in two columns."""
    shown = [(shown_text(name), shown_text(value)) for name, value in fields]
    width = max((cell_len(name) for name, _ in shown), default=0)
    for name, value in shown:
        # Padded by what it takes on a terminal, which is two places for some letters.
        print_line(value, label=(f"{' ' * indent}{name}{' ' * (width - cell_len(name) + _GAP)}", "dim"))


def print_table(
    columns: Sequence[Column],
    table: Iterable[Sequence[object]],
    *,
    titles: bool = True,
    widths: Sequence[int] | None = None,
) -> None:
    """Print rows in columns; in a pipe, parted by tabs.

    Args:
        columns: what is known of each.
        table: the rows.
        titles: whether the columns' titles stand above.
        widths: what each column would take, where more rows are to come below these.
    """
    rows = [tuple(map(shown_text, row)) for row in table]
    if not on_terminal():
        for row in rows:
            _write("\t".join(row))
        return
    if not rows and widths is None:
        return
    natural = widths or [
        max(map(cell_len, (column.title, *(row[each] for row in rows)))) for each, column in enumerate(columns)
    ]
    fitted = _fitted(columns, natural, shutil.get_terminal_size().columns)
    if fitted is None:
        for row in rows:
            print_fields((column.title, cell) for column, cell in zip(columns, row, strict=True) if cell != "-")
            _write("")
        return
    made = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=titles, header_style="bold")
    for each, wide in fitted.items():
        column = columns[each]
        made.add_column(column.title, width=wide, no_wrap=column.whole, overflow="fold")
    for row in rows:
        cells = (Text(row[each], columns[each].styles.get(row[each], "")) for each in fitted)
        made.add_row(*(_cut(cell, wide) for cell, wide in zip(cells, fitted.values(), strict=True)))
    _console(sys.stdout).print(made)


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Show on stderr, if it is a terminal, that something goes on which takes over a second.

    Gives what is told how far it is. Nothing may be printed meanwhile.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    spinner = Spinner("line", Text(shown_text(what)))
    # What is printed stays where it goes: rich would bring it to stderr.
    live = Live(spinner, console=_console(sys.stderr), transient=True, redirect_stdout=False, redirect_stderr=False)
    timer = threading.Timer(_PROGRESS_AFTER, live.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda text: spinner.update(text=Text(shown_text(text)))
    finally:
        timer.cancel()
        timer.join()
        live.stop()


def _fitted(columns: Sequence[Column], natural: Sequence[int], width: int) -> dict[int, int] | None:
    """The columns that are shown, each with its width; None if there is no room for them."""
    everything = range(len(columns))
    if sum(natural) + _GAP * (len(columns) - 1) <= width:
        return dict(zip(everything, natural, strict=True))
    kept = [each for each in everything if not columns[each].extra]
    found = {each: natural[each] for each in kept}
    left = width - _GAP * (len(kept) - 1) - sum(natural[each] for each in kept if columns[each].whole)
    # The narrow ones first: what they leave is for the others.
    free = sorted((each for each in kept if not columns[each].whole), key=natural.__getitem__)
    for place, each in enumerate(free):
        found[each] = min(natural[each], max(left, 0) // (len(free) - place))
        if found[each] < min(natural[each], _LEAST):
            return None
        left -= found[each]
    return found if left >= 0 else None


def _cut(cell: Text, width: int) -> Text:
    cell.truncate(width * _LINES, overflow="ellipsis")
    return cell


def _console(stream: TextIO) -> Console:
    """Rich's console of a terminal, which neither reads markup nor colours what looks like a number."""
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    size = shutil.get_terminal_size()
    return Console(
        file=stream,
        # Of a dumb terminal, rich takes a width for given only with a height; else it is 80.
        width=size.columns,
        height=size.lines,
        color_system=None if plain else "auto",
        no_color=False,
        markup=False,
        emoji=False,
        highlight=False,
    )


def _in_ascii(text: str) -> str:
    # JSON in ASCII escapes every control character but this one.
    return text.replace("\x7f", "\\u007f")


def _write(text: str) -> None:
    # Named, since click would write UTF-8 to a stdout of its own where the terminal takes ASCII alone.
    click.echo(text, file=sys.stdout)
