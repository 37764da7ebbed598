"""The demo's recording for the README: what it showed on a terminal of 80 columns, as an SVG with a frame a step."""

from __future__ import annotations

import html
import re
from typing import Final

STEP: Final = re.compile(r"^(?:\x1b\[\d+m)*\d\. ")
_STYLE: Final = re.compile(r"\x1b\[(\d+)m")
_CLASSES: Final = {"1": "b", "2": "d", "31": "r", "32": "g", "33": "y", "36": "c"}
_DIFFERS: Final = re.compile(
    r"\d+ ms|R-[0-9a-f]{8}|[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"
)
_SECONDS, _COLUMN, _LINE = 12, 8.4, 18
_HEAD: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">
<title>The demo of lambda-warden in five steps</title>
<style>
text {{ font: 14px/1 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d0d7de; white-space: pre }}
.b {{ font-weight: bold }} .d {{ fill: #8b949e }} .r {{ fill: #ff7b72 }} .g {{ fill: #7ee787 }}
.y {{ fill: #e3b341 }} .c {{ fill: #79c0ff }}
.frame {{ visibility: hidden; animation: shown {total}s steps(1) infinite }}
@keyframes shown {{ 0% {{ visibility: visible }} {share:g}% {{ visibility: hidden }} }}
{delays}
</style>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
"""


def constant(shown: str) -> str:
    """What does not differ from run to run, and from width to width: without times, ids, colours and space."""
    return re.sub(r"[\s│]", "", _DIFFERS.sub("…", _STYLE.sub("", shown)))


def steps(shown: str) -> list[list[str]]:
    """The lines of each step, without what comes before the first and the last line of all."""
    lines = [line.rstrip() for line in shown.replace("\r", "").splitlines()]
    starts = [number for number, line in enumerate(lines) if STEP.match(line)]
    return [lines[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]


def text_of(svg: str) -> str:
    """The lines that a recording shows."""
    return "\n".join(html.unescape(re.sub(r"<[^>]+>", "", line)) for line in re.findall(r"<text.*</text>", svg))


def svg_of(frames: list[list[str]]) -> str:
    """The recording: each step is shown for some seconds, the first one again after the last."""
    names = [f"f{number}" for number in range(len(frames))]
    head = _HEAD.format(
        width=round(82 * _COLUMN),
        height=(max(map(len, frames)) + 1) * _LINE,
        total=_SECONDS * len(frames),
        share=100 / len(frames),
        delays="\n".join(f".{name} {{ animation-delay: {_SECONDS * at}s }}" for at, name in enumerate(names)),
    )
    body = [f'<g class="frame {name}">\n{_lines(lines)}</g>\n' for name, lines in zip(names, frames, strict=True)]
    return head + "".join(body) + "</svg>\n"


def _lines(lines: list[str]) -> str:
    placed = (f'<text x="8" y="{(row + 1.2) * _LINE:g}">{_spans(line)}</text>\n' for row, line in enumerate(lines))
    return "".join(placed)


def _spans(line: str) -> str:
    first, *rest = _STYLE.split(line)
    spans, styles = [html.escape(first, quote=False)], set[str]()
    for code, text in zip(rest[::2], rest[1::2], strict=True):
        styles = styles | {_CLASSES[code]} if code != "0" else set()
        if text:
            escaped = html.escape(text, quote=False)
            spans.append(f'<tspan class="{" ".join(sorted(styles))}">{escaped}</tspan>' if styles else escaped)
    return "".join(spans)
