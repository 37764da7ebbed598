"""`lambda-warden lock`: looks up what selectors select, and writes it to the lock files beside the manifests."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from lambda_warden.aws.inventory import select_functions
from lambda_warden.commands.console import as_json_option, print_json, print_line, working
from lambda_warden.commands.manifests import ManifestProblems, load, manifests_argument, print_warning
from lambda_warden.commands.new_file import written_beside
from lambda_warden.commands.options import setting_option
from lambda_warden.errors import ManifestError
from lambda_warden.manifests.load import LoadedManifest, load_manifests
from lambda_warden.manifests.lock import LockFile, Selected, lock_beside, lock_text, read_lock
from lambda_warden.model.target import Target
from lambda_warden.report.visible import inline
from lambda_warden.report.words import plural


@click.command("lock")
@manifests_argument
@click.option("--check", "only_check", is_flag=True, help="Write nothing. Exit code 1: a lock file is not up to date.")
@setting_option("profile", show_envvar=True)
@setting_option("endpoint_url", show_envvar=True)
@as_json_option
def lock(
    manifests: tuple[Path, ...], only_check: bool, profile: str | None, endpoint_url: str | None, as_json: bool
) -> None:
    """Lock what the selectors of MANIFESTs select now.

    Only what stands in the lock file may be called. It is beside the manifest: manifest.lock for manifest.yaml. It is
    replaced whole, once all that decides on it was read: lambda:ListFunctions, for tags lambda:ListTags. Exit code 2:
    something could not be read.

    As JSON: up_to_date, whether it was before; files, each with path, functions (how many are selected), left_out
    (ARNs that have a rule of their own) and differences (change, arn, source).
    """
    loaded = load(manifests, lock_of=lambda _: None)
    if not loaded.selections and not as_json:
        print_line("No rule has a selector: there is nothing to lock.")
        return
    targets = [_reached(target, profile, endpoint_url) for target in loaded.rules.targets]
    with working("Reading functions") as tell:
        found, problems = select_functions(targets, [each.select for each in loaded.selections], tell)
    if problems:
        raise ManifestProblems(["It is not known what is selected, so nothing was written.", *problems], None)
    drafts = _drafts(loaded, found)
    differ = any([*draft.differences()] for draft in drafts)
    said: list[str] = [] if only_check else _write(manifests, drafts)
    if only_check:
        step = f"lambda-warden lock {inline(shlex.join(map(str, manifests)))}"
        said = [f"The lock files are not up to date: {step} writes them." if differ else "Up to date."]
    if as_json:
        print_json({"up_to_date": not differ, "files": [draft.as_json() for draft in drafts]})
    else:
        for draft in drafts:
            for arn in draft.left_out:
                print_line(f"left out: {arn}, which has a rule of its own")
            for difference in draft.differences():
                print_line(str(difference))
        for line in said:
            print_line(line)
    raise SystemExit(1 if only_check and differ else 0)


@dataclass(frozen=True, slots=True)
class _Difference:
    """Of what is locked from what is selected now."""

    change: str
    arn: str | None
    source: str | None

    def __str__(self) -> str:
        return f"{self.change}: {', '.join(filter(None, (self.arn, self.source)))}"


@dataclass(frozen=True, slots=True)
class _LockDraft:
    """A lock file as it would be now. `before` is what stands there, if that can be used."""

    path: Path
    manifest: Path
    before: LockFile | None
    selected: Sequence[tuple[Selected, Sequence[str]]]
    left_out: Sequence[str]

    @property
    def count(self) -> int:
        """How many functions are selected."""
        return len({arn for _, arns in self.selected for arn in arns})

    def as_json(self) -> dict[str, object]:
        """As the command's JSON has it."""
        differences = [asdict(each) for each in self.differences()]
        left_out = list(self.left_out)
        return {"path": str(self.path), "functions": self.count, "left_out": left_out, "differences": differences}

    @property
    def text(self) -> str:
        return lock_text(self.manifest, [(selection.select, arns) for selection, arns in self.selected])

    def differences(self) -> Iterator[_Difference]:
        """What is selected now and is not locked, and what is locked and not selected any more.

        A selector that is new or changed is held against what was locked for those that are there no more.
        """
        before = self.before.functions if self.before else {}
        selected = {each.select.digest: (each, arns) for each, arns in self.selected}
        gone = [digest for digest in before if digest not in selected]
        left = {arn for digest in gone for arn in before[digest]}
        for digest, (each, arns) in selected.items():
            if digest not in before:
                yield _Difference("not locked as it is now", None, each.source)
            known = before.get(digest, left)
            yield from (_Difference("added", arn, each.source) for arn in arns if arn not in known)
            gone_arns = (arn for arn in before.get(digest, ()) if arn not in arns)
            yield from (_Difference("removed", arn, each.source) for arn in gone_arns)
        now = {arn for digest, (_, arns) in selected.items() if digest not in before for arn in arns}
        yield from (_Difference("removed", arn, None) for arn in sorted(left - now))
        sources = self.before.sources if self.before else {}
        yield from (_Difference("no selector any more", None, sources[digest]) for digest in gone)


def _drafts(loaded: LoadedManifest, found: Sequence[Sequence[str]]) -> list[_LockDraft]:
    """A draft for each lock file. What a rule names by its ARN is left out: that rule is followed, and no selector."""
    selected: dict[Path, list[tuple[Selected, Sequence[str]]]] = {}
    left_out: dict[Path, list[str]] = {}
    for selection, arns in zip(loaded.selections, found, strict=True):
        own = [arn for arn in arns if loaded.rules.names_exactly(arn)]
        if not arns:
            print_warning(f"{selection.source}: no function is selected")
        there = {arn.rpartition(":")[2] for arn in arns}
        for name in selection.select.names or ():
            if name not in there:
                print_warning(f"{selection.source}: no function {name} is selected")
        path = lock_beside(selection.manifest)
        selected.setdefault(path, []).append((selection, [arn for arn in arns if arn not in own]))
        left_out.setdefault(path, []).extend(own)
    return [
        _LockDraft(path, each[0][0].manifest, _before(path), each, left_out[path]) for path, each in selected.items()
    ]


def _before(path: Path) -> LockFile | None:
    if not path.exists():
        return None
    try:
        return read_lock(path)
    except ManifestError as error:
        for line in error.problems:
            print_warning(line)
        return None


def _write(manifests: Sequence[Path], drafts: Sequence[_LockDraft]) -> list[str]:
    """Put the lock files in their places, each whole, once the manifests can be used with all of them. Says what came
    of each."""
    temporary: dict[Path, Path] = {}
    said: list[str] = []
    try:
        for draft in drafts:
            temporary[draft.path] = _temporary(draft)
        load_manifests(manifests, lambda manifest: temporary.get(lock_beside(manifest)))
        for draft in drafts:
            if draft.before and draft.path.read_text() == draft.text:
                said.append(f"{draft.path}: up to date.")
                continue
            temporary[draft.path].replace(draft.path.resolve())  # a link stays
            count = plural(draft.count, "function")
            said.append(f"Wrote {draft.path}, with {count}. Review it: what stands there may be called.")
    except ManifestError as error:
        raise ManifestProblems(["Nothing was written:", *_by_their_names(error.problems, temporary)], None) from None
    except OSError as error:
        raise ManifestProblems([f"{error.filename}: {error.strerror or error}"], None) from None
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)
    return said


def _temporary(draft: _LockDraft) -> Path:
    """The text in a file beside its place, with the permissions of the lock file, or else of the manifest."""
    place = draft.path.resolve()
    return written_beside(place, draft.text, place if place.exists() else draft.manifest)


def _by_their_names(problems: Iterable[str], temporary: Mapping[Path, Path]) -> Iterator[str]:
    for text in problems:
        for path, made in temporary.items():
            text = text.replace(str(made), str(path))
        yield text


def _reached(target: Target, profile: str | None, endpoint_url: str | None) -> Target:
    """A target with what the settings say where it says nothing itself."""
    usual = {"profile": target.profile or profile, "endpoint_url": target.endpoint_url or endpoint_url}
    return target.model_copy(update=usual)
