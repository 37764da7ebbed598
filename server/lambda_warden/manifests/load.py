"""Loads manifests: several files are read as one, and every problem has its file, line and key.

The rule of merging: everything adds up, nothing overrides. What two files say of one thing is a problem, `deny`
entries of any file win over the rules of all, and a file counts whole or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lambda_warden.errors import ManifestError, shown
from lambda_warden.guard.payload_schema import PayloadSchema, SchemaError
from lambda_warden.guard.rules import Deny, Rule, RuleConflictError, Rules
from lambda_warden.manifests.document import Document, Place
from lambda_warden.manifests.expansion import describe_entry
from lambda_warden.manifests.exposed_tools import ExposedTool, ExposeError, exposed_tools, warning_of
from lambda_warden.manifests.lock import LockFile, Selected, lock_beside, read_lock
from lambda_warden.manifests.schema_file import read_schema
from lambda_warden.manifests.stamp import Stamp, stamp_of
from lambda_warden.model.function_ref import partition_of
from lambda_warden.model.function_rule import FunctionRule
from lambda_warden.model.limits import Limits
from lambda_warden.model.manifest import Manifest
from lambda_warden.model.redaction_rule import DetectorRule
from lambda_warden.model.rule_arn import RuleArn, parse_deny_arn, parse_rule_arn
from lambda_warden.model.rule_entry import RuleEntry
from lambda_warden.model.selector import Selector
from lambda_warden.model.target import Target
from lambda_warden.redaction.detector import Detector
from lambda_warden.redaction.policy import Detectors

_NAMED: Final = 5
"""How many files one warning names."""


@dataclass(frozen=True, slots=True)
class LoadedManifest:
    """Manifests that passed every check, as rules ready to decide.

    `files` are all that was read, schemas and lock files included; `stamps` are those of what was read, of the folders
    that were given, and of lock files that are not there, taken before it was. `unread` are the .json files and folders
    in those folders that nothing was read of; `selections` the selectors, each with what it selected; `notes` further
    warnings; `exposed` the functions that are tools of their own.
    """

    files: tuple[Path, ...]
    rules: Rules
    stamps: Mapping[Path, Stamp]
    unread: tuple[Path, ...] = ()
    selections: tuple[Selected, ...] = ()
    notes: tuple[str, ...] = ()
    exposed: tuple[ExposedTool, ...] = ()

    def lock_problems(self) -> Iterator[str]:
        """The selectors that select nothing, since they are not locked as they are now: one line each."""
        yield from (each.problem for each in self.selections if each.problem is not None)

    def warnings(self) -> Iterator[str]:
        """What is allowed to stand there and is hardly meant, one line each."""
        if self.unread:
            names = ", ".join(shown(str(path), 300) for path in self.unread[:_NAMED])
            more = f" and {len(self.unread) - _NAMED} more" if len(self.unread) > _NAMED else ""
            expected = ".yaml or .yml files directly in the folder, or a --manifest for each"
            yield f"not read: {names}{more}. Expected {expected}."
        yield from self.notes
        if not self.rules.all and not self.selections:
            yield f"{self.files[0]}: functions: allows nothing yet. Expected a rule that is not commented out."
        yield from warning_of(self.exposed)
        for rule in self.rules.all:
            for qualifier in rule.spec.qualifiers:
                if qualifier.lower() == "latest":
                    about = f"{qualifier} is an alias of that name. For the code deployed last, write $LATEST"
                    yield f"{rule.source}: qualifiers: {about}."


def load_manifests(paths: Sequence[Path], lock_of: Callable[[Path], Path | None] = lock_beside) -> LoadedManifest:
    """Read and check manifests, the schema files they name, and the lock files of those that have selectors.

    Args:
        paths: files, or folders of which every .yaml and .yml file, in any case, is read.
        lock_of: where the lock file of a manifest is; None: it is not looked at, and its selectors select nothing.

    Raises:
        ManifestError: with all problems found, one line each: `FILE:LINE: KEY: problem. Expected …`.
    """
    merged = _Merged({path: stamp_of(path) for path in paths}, lock_of, _passed_over(paths))
    for path in _files(paths):
        merged.stamps[path] = stamp_of(path)
        try:
            merged.add(_read_file(path))
        except ManifestError as error:
            merged.problems.extend(error.problems)
    return merged.loaded()


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    document: Document
    manifest: Manifest


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(file for file in path.iterdir() if file.suffix.lower() in (".yaml", ".yml"))
            if not found:
                raise ManifestError([f"{path}: holds no manifest. Expected .yaml or .yml files in the folder."])
            yield from found
        else:
            yield path


def _passed_over(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The .json files and folders in the folders that are given, but for those that are hidden."""
    found = (file for path in paths if path.is_dir() for file in sorted(path.iterdir()) if file not in paths)
    return tuple(
        file
        for file in found
        if not file.name.startswith(".") and (file.is_dir() or (file.suffix.lower() == ".json" and file.is_file()))
    )


def _read_file(path: Path) -> _File:
    document = Document(path)
    return _File(path, document, document.validate(Manifest))


@dataclass(frozen=True, slots=True)
class _Function:
    """An ARN that a rule is for, where it is named, and where the lock file has it, if it was selected."""

    arn: RuleArn
    source: str
    locked: str | None = None


@dataclass(slots=True)
class _Merged:
    """What was read so far, and what is wrong with it."""

    stamps: dict[Path, Stamp]
    lock_of: Callable[[Path], Path | None]
    passed_over: tuple[Path, ...] = ()
    files: list[_File] = field(default_factory=list)
    schema_files: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    schema_digests: list[str] = field(default_factory=list)
    locks: dict[Path, LockFile] = field(default_factory=dict)
    selections: list[Selected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, file: _File) -> None:
        self.files.append(file)

    def loaded(self) -> LoadedManifest:
        """Check what the files say together.

        Raises:
            ManifestError: with the problems of all files.
        """
        targets = self._targets()
        rules = list(self._rules(targets))
        denies = [
            Deny(spec, parse_deny_arn(spec.arn), file.document.source(("deny", i)))
            for file in self.files
            for i, spec in enumerate(file.manifest.deny)
        ]
        principals = self._principals()
        if not self.problems:
            self._require_something(targets, rules)
        if self.problems:
            raise ManifestError(self.problems)
        try:
            files = (*(file.path for file in self.files), *self.schema_files, *self.locks)
            merged = Rules(rules, targets, denies, principals, self._detectors(), self._digest())
            notes = (*self.notes, *(line for lock in self.locks.values() for line in lock.unused(self.selections)))
            selected, exposed = tuple(self.selections), exposed_tools(merged)
            return LoadedManifest(files, merged, self.stamps, self._unread(), selected, notes, exposed)
        except RuleConflictError as error:
            raise ManifestError([_conflict(error)]) from None
        except ExposeError as error:
            raise ManifestError([f"{error.rule.source}: functions: expose: {error}."]) from None

    def _targets(self) -> list[Target]:
        """All targets. One that stands in two files is the same there, or a problem."""
        first: dict[tuple[str, str], tuple[Target, str]] = {}
        targets: list[Target] = []
        for file in self.files:
            for i, target in enumerate(file.manifest.targets):
                source = file.document.source(("targets", i))
                clashes = False
                for region in target.regions:
                    other, where = first.setdefault((target.account, region), (target, source))
                    if other is not target:
                        clashes = True
                        if other != target or where.startswith(f"{file.path}:"):
                            problem = f"account {target.account} in {region} is already a target at {where}"
                            self.problems.append(
                                file.document.at(("targets", i), f"{problem}. Expected one target each")
                            )
                if not clashes:
                    targets.append(target)
        return targets

    def _rules(self, targets: Sequence[Target]) -> Iterator[Rule]:
        places = {(target.account, region) for target in targets for region in target.regions}
        # As with patterns: where a rule names a function, it is followed alone.
        named = {arn for file in self.files for entry in file.manifest.functions for arn in entry.arns}
        for file in self.files:
            for i, entry in enumerate(file.manifest.functions):
                place: Place = ("functions", i)
                if entry.select is None:
                    functions = list(self._named(entry, place, file, places))
                else:
                    selected = self._selected(entry.select, place, file, places)
                    functions = [each for each in selected if str(each.arn) not in named]
                try:
                    described = describe_entry(file.document, i, entry, file.manifest.defaults)
                    schema = self._schema(described.spec, file.path.parent)
                except ManifestError as error:
                    self.problems.extend(error.problems)
                    continue
                except ValueError as error:
                    # Of a schema written out in the manifest, the very line; else that of its file's name.
                    inner: Place = ()
                    if isinstance(error, SchemaError) and isinstance(entry.payload.schema_, dict):
                        inner = error.path
                    self.problems.append(file.document.at((*place, "payload", "schema", *inner), str(error)))
                    continue
                self.notes.extend(described.warnings)
                self.problems.extend(_unfit_examples(described.spec, schema, place, file.document))
                for each in functions:
                    spec = described.spec.model_copy(update={"arn": str(each.arn)})
                    yield Rule(spec, each.arn, each.source, schema, described.defaulted, each.locked)

    def _named(self, entry: RuleEntry, place: Place, file: _File, places: Set[tuple[str, str]]) -> Iterator[_Function]:
        """The ARNs that an entry names itself."""
        for i, text in enumerate(entry.arns):
            where = (*place, "arn", i) if isinstance(entry.arn, list) else (*place, "arn")
            arn = parse_rule_arn(text)
            if (arn.account, arn.region) not in places or partition_of(arn.region) != arn.partition:
                self._unreached(arn.account, arn.region, where, file)
            yield _Function(arn, file.document.source(where if isinstance(entry.arn, list) else place))

    def _selected(
        self, select: Selector, place: Place, file: _File, places: Set[tuple[str, str]]
    ) -> Iterator[_Function]:
        """The ARNs that the lock file has for a selector."""
        for account, region in select.places:
            if (account, region) not in places:
                self._unreached(account, region, (*place, "select"), file)
        lock = self._lock(file.path)
        locked = lock.functions.get(select.digest) if lock else None
        source = file.document.source(place)
        self.selections.append(Selected(select, source, file.path, locked))
        for arn, where in (locked or {}).items():
            yield _Function(parse_rule_arn(arn), source, where)

    def _unreached(self, account: str, region: str, place: Place, file: _File) -> None:
        problem = f"no target reaches account {account} in {region}. Expected it under `targets`"
        self.problems.append(file.document.at(place, problem))

    def _lock(self, manifest: Path) -> LockFile | None:
        """The lock file of a manifest, if there is one that can be used."""
        path = self.lock_of(manifest)
        if path is not None and path not in self.locks:
            self.stamps[path] = stamp_of(path)
            if self.stamps[path]:
                try:
                    self.locks[path] = read_lock(path)
                except ManifestError as error:
                    self.problems.extend(problem for problem in error.problems if problem not in self.problems)
        return self.locks.get(path) if path else None

    def _schema(self, spec: FunctionRule, folder: Path) -> PayloadSchema | None:
        if spec.payload.schema_ is None:
            return None
        match spec.payload.schema_:
            case dict() as schema:
                return PayloadSchema(schema)
            case str() as name:
                self.schema_files.append(folder / name)
                self.stamps[folder / name] = stamp_of(folder / name)
                schema, digest = read_schema(name, folder)
                self.schema_digests.append(digest)
                return PayloadSchema(schema)

    def _principals(self) -> dict[str, Limits]:
        found: dict[str, tuple[Limits, str]] = {}
        for file in self.files:
            for name, spec in file.manifest.principals.items():
                place: Place = ("principals", name)
                _, where = found.setdefault(name, (spec.limits, file.document.source(place)))
                if where != file.document.source(place):
                    problem = f"is already described at {where}. Expected one description each"
                    self.problems.append(file.document.at(place, problem))
        return {name: limits for name, (limits, _) in found.items()}

    def _detectors(self) -> Detectors:
        """What is looked for in texts: what always is, and what any file adds."""
        rules = [file.manifest.redaction for file in self.files]
        return Detectors(
            tuple(dict.fromkeys(_detector(spec) for rule in rules for spec in rule.detectors)),
            tuple(dict.fromkeys(name for rule in rules for name in rule.names)),
            frozenset(each for rule in rules for each in rule.allow),
        )

    def _digest(self) -> str:
        """Of one file, its SHA-256; of several, that of theirs, in the order of the files."""
        locks = (lock.sha256 for lock in self.locks.values())
        digests = [*(file.document.sha256 for file in self.files), *self.schema_digests, *locks]
        return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()

    def _unread(self) -> tuple[Path, ...]:
        """What a folder holds that may be meant as manifests. Schemas, and folders of them, are none."""
        schemas = {path.resolve() for path in self.schema_files}
        used = schemas | {folder for path in schemas for folder in path.parents}
        return tuple(path for path in self.passed_over if path.resolve() not in used)

    def _require_something(self, targets: Sequence[Target], rules: Sequence[Rule]) -> None:
        # A list of functions that is there and empty, or all commented out, allows nothing, and says so.
        listed = rules or any("functions" in file.manifest.model_fields_set for file in self.files)
        for key, present in (("targets", targets), ("functions", listed)):
            if not present:
                where = ", ".join(str(file.path) for file in self.files)
                self.problems.append(f"{where}:1: {key}: is missing. Expected at least one.")


def _detector(spec: DetectorRule) -> Detector:
    least, most = (spec.length, spec.length) if isinstance(spec.length, int) else spec.length
    return Detector(spec.kind, (spec.prefix,), spec.alphabet, least, most, spec.entropy)


def _conflict(error: RuleConflictError) -> str:
    first, second, qualifiers = error.first, error.second, ", ".join(error.qualifiers)
    problem = f"{second.spec.arn} is already allowed {qualifiers} by the rule at {first.source}"
    if first.spec.arn != second.spec.arn:
        problem = f"{second.spec.arn} and {first.spec.arn} ({first.source}) both allow {qualifiers} of {error.name}"
    return f"{second.source}: functions: {problem}. Expected one rule for a function and qualifier."


def _unfit_examples(spec: FunctionRule, schema: PayloadSchema | None, place: Place, document: Document) -> list[str]:
    if schema is None:
        return []
    return [
        document.at((*place, "examples", i), f"does not fit the rule's own schema: {problem}")
        for i, example in enumerate(spec.examples)
        if (problem := schema.problem(example))
    ]
