"""The lock file beside a manifest: what its selectors selected, and so what of them may be called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from lambda_warden.errors import ManifestError
from lambda_warden.manifests.document import Document
from lambda_warden.model.lock import Lock
from lambda_warden.model.rule_arn import parse_rule_arn
from lambda_warden.model.selector import Selector

_HEAD: Final = """\
# Written by `lambda-warden lock`: the functions that the selectors of {name} selected. Review it as you review that
# file: what stands here may be called. A selector that is changed selects nothing until it is locked again.
"""


def lock_beside(manifest: Path) -> Path:
    """Where the lock of a manifest stands: `manifest.lock` for `manifest.yaml`."""
    return manifest.parent / f"{manifest.stem}.lock"


@dataclass(frozen=True, slots=True)
class Selected:
    """A selector of a manifest, and what it selected.

    Attributes:
        select: the selector.
        source: FILE:LINE of its rule.
        manifest: the file that the rule stands in.
        functions: the ARNs that are locked, with the FILE:LINE of each; None if the lock does not have this selector.
    """

    select: Selector
    source: str
    manifest: Path
    functions: Mapping[str, str] | None

    @property
    def problem(self) -> str | None:
        """What is wrong with it, if it is not locked."""
        if self.functions is not None:
            return None
        expected = f"it in {lock_beside(self.manifest).name}: run lambda-warden lock, and review what it writes"
        return f"{self.source}: select: is not locked as it is now, so it selects nothing. Expected {expected}."


@dataclass(frozen=True, slots=True)
class LockFile:
    """A lock file that passed every check: what was locked, by the digests of selectors, and where that stands."""

    sha256: str
    functions: Mapping[str, Mapping[str, str]]
    sources: Mapping[str, str]

    def unused(self, selections: Sequence[Selected]) -> Iterator[str]:
        """A line for each selection that no selector has (any more)."""
        used = {each.select.digest for each in selections}
        for digest, source in self.sources.items():
            if digest not in used:
                yield f"{source}: no selector of the manifest is this one, so what stands here counts for nothing."


def read_lock(path: Path) -> LockFile:
    """Read a lock file.

    Raises:
        ManifestError: if it is none, or not whole, a selection is not that of its digest, or names what its selector
            can't select.
    """
    document = Document(path)
    lock = document.validate(Lock)
    # The last thing in it is an ARN, which may name another function without its end.
    problems = (
        [] if document.ends_a_line else [f"{path}: ends within a line. Expected all that `lambda-warden lock` wrote."]
    )
    functions: dict[str, dict[str, str]] = {}
    sources: dict[str, str] = {}
    for i, selection in enumerate(lock.selections):
        if selection.digest != selection.select.digest:
            problem = "is not the digest of this selector. Expected what `lambda-warden lock` writes"
            problems.append(document.at(("selections", i, "digest"), problem))
        if selection.digest in functions:
            problems.append(document.at(("selections", i), "stands here twice. Expected each selector once"))
        for j, arn in enumerate(selection.functions):
            if not selection.select.may_select(parse_rule_arn(arn)):
                problem = f"{arn} is none that this selector can select. Expected what `lambda-warden lock` writes"
                problems.append(document.at(("selections", i, "functions", j), problem))
        functions[selection.digest] = {
            arn: document.source(("selections", i, "functions", j)) for j, arn in enumerate(selection.functions)
        }
        sources[selection.digest] = document.source(("selections", i))
    if problems:
        raise ManifestError(problems)
    return LockFile(document.sha256, functions, sources)


def lock_text(manifest: Path, selected: Sequence[tuple[Selector, Sequence[str]]]) -> str:
    """The lock file of a manifest: each selector with the ARNs of the functions that it selects.

    What is the same is written the same, in whichever order it is given.
    """
    selections: dict[str, dict[str, Any]] = {
        select.digest: {
            "select": select.model_dump(exclude_none=True),
            "digest": select.digest,
            "functions": sorted(functions),
        }
        for select, functions in selected
    }
    ordered = sorted(selections.values(), key=lambda each: (str(each["select"]), each["digest"]))
    document = {"version": 1, "selections": ordered}
    return _HEAD.format(name=manifest.name) + yaml.safe_dump(document, sort_keys=False, width=float("inf"))
