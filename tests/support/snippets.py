"""What stands between fences in the documents: manifests, commands, settings, code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
_FENCED: Final = re.compile(r"^```(\S*)\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Snippet:
    """A fenced block, and where it stands."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def snippets(*languages: str) -> list[Snippet]:
    """All in these languages, or in any."""
    found = (
        Snippet(page, text.count("\n", 0, block.start()) + 1, block[1], block[2])
        for page in PAGES
        for text in [page.read_text()]
        for block in _FENCED.finditer(text)
    )
    return [each for each in found if not languages or each.language in languages]


def commands(snippet: Snippet) -> Iterator[list[str]]:
    """The commands of a block for a shell, word by word: in `console`, what stands behind a prompt."""
    lines = snippet.text.replace("\\\n", " ").splitlines()
    if snippet.language == "console":
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    for line in lines:
        words = shlex.split(line, comments=True)
        while words:
            end = next((at for at, word in enumerate(words) if word in ("&&", "|", ">", ";")), len(words))
            if words[:end] and (end == 0 or words[0] != ">"):
                yield words[:end]
            # What stands behind > is a file's name.
            words = words[end + (2 if words[end : end + 1] == [">"] else 1) :]


def warden_arguments(words: list[str]) -> list[str] | None:
    """What a command gives to lambda-warden, also as `uv run … lambda-warden`; None if it runs something else."""
    if "lambda-warden" not in words or words[0] in ("docker", "claude"):
        return None
    return words[words.index("lambda-warden") + 1 :]
