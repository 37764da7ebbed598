"""`lambda-warden lock`: looks up what selectors select, and writes it to the lock files beside the manifests."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from lambda_warden.aws.inventory import select_functions
from lambda_warden.commands.console import print_line, working
from lambda_warden.commands.manifests import ManifestProblems
from lambda_warden.commands.options import UserPath, setting_option
from lambda_warden.doctor.manifest import make_step
from lambda_warden.errors import ManifestError
from lambda_warden.manifests.load import LoadedManifest, load_manifests
from lambda_warden.manifests.lock import LockFile, Selected, lock_beside, lock_text, read_lock
from lambda_warden.model.target import Target
from lambda_warden.report.words import plural


@click.command("lock")
@click.argument("manifests", type=UserPath(path_type=Path), nargs=-1, required=True, metavar="MANIFEST…")
@click.option("--check", "only_check", is_flag=True, help="Write nothing. Exit code 1: a lock file is not up to date.")
@setting_option("profile", show_envvar=True)
@setting_option("endpoint_url", show_envvar=True)
def lock(manifests: tuple[Path, ...], only_check: bool, profile: str | None, endpoint_url: str | None) -> None:
    """Lock what the selectors of MANIFESTs select now.

    Only what stands in the lock file may be called. It is beside the manifest: manifest.lock for manifest.yaml. It is
    replaced whole, once all that decides on it was read: lambda:ListFunctions, for tags lambda:ListTags. Exit code 2:
    something could not be read.
    """
    try:
        loaded = load_manifests(manifests, lambda _: None)
    except ManifestError as error:
        raise ManifestProblems(error.problems, make_step(manifests)) from None
    if not loaded.selections:
        print_line("No rule has a selector: there is nothing to lock.")
        return
    targets = [_reached(target, profile, endpoint_url) for target in loaded.rules.targets]
    with working("Reading functions") as tell:
        found, problems = select_functions(targets, [each.select for each in loaded.selections], tell)
    if problems:
        raise ManifestProblems(["It is not known what is selected, so nothing was written.", *problems], None)
    drafts = _drafts(loaded, found)
    lines = [line for draft in drafts for line in draft.differences()]
    for line in lines:
        print_line(line)
    if only_check:
        print_line("The lock files are not up to date: run lambda-warden lock." if lines else "Up to date.")
        raise SystemExit(1 if lines else 0)
    _write(manifests, drafts)


@dataclass(frozen=True, slots=True)
class _LockDraft:
    """A lock file as it would be now. `before` is what stands there, if that can be used."""

    path: Path
    manifest: Path
    before: LockFile | None
    selected: Sequence[tuple[Selected, Sequence[str]]]

    @property
    def text(self) -> str:
        return lock_text(self.manifest, [(selection.select, arns) for selection, arns in self.selected])

    def differences(self) -> Iterator[str]:
        """What is selected now and is not locked, and what is locked and not selected any more; a line each.

        A selector that is new or changed is held against what was locked for those that are there no more.
        """
        before = self.before.functions if self.before else {}
        selected = {each.select.digest: (each, arns) for each, arns in self.selected}
        gone = [digest for digest in before if digest not in selected]
        left = {arn for digest in gone for arn in before[digest]}
        for digest, (each, arns) in selected.items():
            if digest not in before:
                yield f"not locked as it is now: {each.source}"
            known = before.get(digest, left)
            yield from (f"added: {arn}, {each.source}" for arn in arns if arn not in known)
            yield from (f"removed: {arn}, {each.source}" for arn in before.get(digest, ()) if arn not in arns)
        now = {arn for digest, (_, arns) in selected.items() if digest not in before for arn in arns}
        yield from (f"removed: {arn}" for arn in sorted(left - now))
        yield from (f"no selector any more: {self.before.sources[digest]}" for digest in gone if self.before)


def _drafts(loaded: LoadedManifest, found: Sequence[Sequence[str]]) -> list[_LockDraft]:
    """A draft for each lock file. What a rule names by its ARN is left out: that rule is followed, and no selector."""
    selected: dict[Path, list[tuple[Selected, Sequence[str]]]] = {}
    for selection, arns in zip(loaded.selections, found, strict=True):
        own = [arn for arn in arns if loaded.rules.names_exactly(arn)]
        for arn in own:
            print_line(f"left out: {arn}, which has a rule of its own")
        if not arns:
            click.echo(f"Warning: {selection.source}: no function is selected", err=True)
        there = {arn.rpartition(":")[2] for arn in arns}
        for name in selection.select.names or ():
            if name not in there:
                click.echo(f"Warning: {selection.source}: no function {name} is selected", err=True)
        path = lock_beside(selection.manifest)
        selected.setdefault(path, []).append((selection, [arn for arn in arns if arn not in own]))
    return [_LockDraft(path, each[0][0].manifest, _before(path), each) for path, each in selected.items()]


def _before(path: Path) -> LockFile | None:
    if not path.exists():
        return None
    try:
        return read_lock(path)
    except ManifestError as error:
        for line in error.problems:
            click.echo(f"Warning: {line}", err=True)
        return None


def _write(manifests: Sequence[Path], drafts: Sequence[_LockDraft]) -> None:
    """Put the lock files in their places, each whole, once the manifests can be used with all of them."""
    temporary: dict[Path, Path] = {}
    try:
        for draft in drafts:
            temporary[draft.path] = _temporary(draft)
        load_manifests(manifests, lambda manifest: temporary.get(lock_beside(manifest)))
        for draft in drafts:
            if draft.before and draft.path.read_text() == draft.text:
                print_line(f"{draft.path}: up to date.")
                continue
            temporary[draft.path].replace(draft.path.resolve())  # a link stays
            count = len({arn for _, arns in draft.selected for arn in arns})
            click.echo(
                f"Wrote {draft.path}, with {plural(count, 'function')}. Review it: what stands there may be called."
            )
    except ManifestError as error:
        raise ManifestProblems(["Nothing was written:", _by_their_names(str(error), temporary)], None) from None
    except OSError as error:
        raise ManifestProblems([f"{error.filename}: {error.strerror or error}"], None) from None
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)


def _temporary(draft: _LockDraft) -> Path:
    """The text in a file beside its place, with the permissions of the lock file, or else of the manifest."""
    place = draft.path.resolve()
    with tempfile.NamedTemporaryFile("wb", dir=place.parent, prefix=".lock-", suffix=".tmp", delete=False) as file:
        file.write(draft.text.encode())
        file.flush()
        os.fsync(file.fileno())
    shutil.copymode(place if place.exists() else draft.manifest, file.name)
    return Path(file.name)


def _by_their_names(text: str, temporary: Mapping[Path, Path]) -> str:
    for path, made in temporary.items():
        text = text.replace(str(made), str(path))
    return text


def _reached(target: Target, profile: str | None, endpoint_url: str | None) -> Target:
    """A target with what the settings say where it says nothing itself."""
    usual = {"profile": target.profile or profile, "endpoint_url": target.endpoint_url or endpoint_url}
    return target.model_copy(update=usual)
