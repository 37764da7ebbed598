"""`lambda-warden init`: a manifest to review, from what an account or a template has.

This module is loaded for this command alone (see `cli.py`): what asks at a terminal takes a while to import, and so
does boto3.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
import questionary

from lambda_warden.aws.inventory import find_targets, read_inventory, read_policies, read_schemas
from lambda_warden.commands.console import print_json, working
from lambda_warden.commands.manifests import INIT_OUTPUT, load_rules, print_warning
from lambda_warden.commands.new_file import written_beside
from lambda_warden.commands.options import UserPath
from lambda_warden.drafting.changes import Changes, changes_of, missing_targets
from lambda_warden.drafting.effect import guess_effect
from lambda_warden.drafting.merge import MergeError, merge_text
from lambda_warden.drafting.registered import registered_schemas
from lambda_warden.drafting.rules import manifest_text, proposed_qualifier, rule_lines, target_line
from lambda_warden.drafting.samples import schema_text, schemas_of
from lambda_warden.drafting.template import TemplateError, read_template
from lambda_warden.errors import ManifestError
from lambda_warden.guard.rules import Rules
from lambda_warden.manifests.document import SIZE_LIMIT
from lambda_warden.manifests.load import LoadedManifest, load_manifests
from lambda_warden.manifests.lock import lock_beside
from lambda_warden.manifests.regular_file import read_regular
from lambda_warden.model.found_function import FoundFunction, Inventory
from lambda_warden.model.function_ref import is_account, partition_of
from lambda_warden.model.target import Target
from lambda_warden.report.words import plural

_SCHEMAS = "schemas"
"""The folder beside the manifest that schemas are written to."""

_SIGN_IN = (
    "Sign in, as by aws sso login, or name another --profile: aws sts get-caller-identity says who you are. "
    "Where STS can't be asked, give --account."
)

_PATH = UserPath(dir_okay=False, path_type=Path)


@click.command("init")
@click.option(
    "--profile", "profiles", multiple=True, help="Profile of the AWS config files; several times for several accounts."
)
@click.option(
    "--role-arn",
    "roles",
    multiple=True,
    help="Role to assume, one of each account, from the one profile's credentials.",
)
@click.option("--region", "regions", multiple=True, help="Region to read; the profile's own if not given.")
@click.option("--prefix", "prefixes", multiple=True, help="What the names of functions begin with; any of several.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag that functions have; all of several.")
@click.option("--template", type=_PATH, help="Read a CloudFormation or SAM template instead of an account.")
@click.option("--account", help="The account, of a template or where STS can't be asked.")
@click.option(
    "--samples",
    type=UserPath(file_okay=False, exists=True, path_type=Path),
    help="Folder with payloads, NAME.json or NAME/*.json, or schemas, NAME.schema.json, to make payload schemas of.",
)
@click.option(
    "--schema-tag",
    metavar="KEY",
    help="Tag that holds the ARN of a function's payload schema in the EventBridge schema registry.",
)
@click.option(
    "--output",
    type=_PATH,
    default=INIT_OUTPUT,
    show_default=True,
    help="The manifest. If it is there, what is new is added to it, and nothing else in it changes.",
)
@click.option("--endpoint-url", help="Another endpoint than AWS's own.")
@click.option(
    "--roles/--no-roles",
    "read_roles",
    default=True,
    help="Read the policies of functions' roles, to guess what they do.",
)
@click.option("--yes", is_flag=True, help="Ask nothing: every rule is written commented out.")
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead. Nothing is asked, as with --yes.")
def init(
    profiles: tuple[str, ...],
    roles: tuple[str, ...],
    regions: tuple[str, ...],
    prefixes: tuple[str, ...],
    tags: tuple[str, ...],
    template: Path | None,
    account: str | None,
    samples: Path | None,
    schema_tag: str | None,
    output: Path,
    endpoint_url: str | None,
    read_roles: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write a manifest to review, from accounts or a template.

    At a terminal you choose the functions that may be called. Otherwise every rule is commented out, and nothing may be
    called. Run it again to see what has changed in the account, and to add what is new.
    """
    if bad := [region for region in regions if partition_of(region) is None]:
        raise click.BadParameter(f"unknown region {bad[0]!r}. Expected one such as us-east-1", param_hint="'--region'")
    existing = _Existing.read(output.resolve())  # a link stays, and the file that it leads to is replaced
    if template is not None:
        inventory = _from_template(template, account, regions, endpoint_url)
    else:
        wanted = _tags_of(tags)
        targets, problems = _targets(profiles, roles, account, regions, endpoint_url)
        with working("Reading functions") as tell:
            inventory = read_inventory(targets, prefixes, wanted, tell)
        inventory = replace(inventory, problems=(*problems, *inventory.problems))
    _warn(inventory.problems)
    for line in inventory.skipped:
        click.echo(f"skipped: {line}", err=dry_run or as_json)
    if not inventory.functions and existing.text is None:
        places = ", ".join(f"{target.account} {region}" for target in inventory.targets for region in target.regions)
        where = f" in {places}" if places else ""
        raise click.ClickException(
            f"no function was found{where}, so nothing was written. Look at --region, --prefix, --tag"
        )
    changes = changes_of(existing.text or "", existing.rules, inventory)
    for line in changes.lines:
        click.echo(line, err=dry_run or as_json)  # whose stdout is the manifest alone
    asked = not yes and not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    chosen = _choose(changes.choices, new=existing.text is None) if asked else frozenset()
    proposal = _Proposal(inventory.targets, changes, chosen, asked)
    if read_roles and template is None:
        proposal = _with_roles(proposal)
    schemas = _schemas(proposal, samples, schema_tag if template is None else None)
    done = _write(existing, proposal, schemas, dry_run=dry_run)
    if as_json:
        found = {"skipped": list(inventory.skipped), "changes": list(changes.lines)}
        print_json({"manifest": str(existing.path), **asdict(done), **found})
    else:
        click.echo(done.told(existing.path), nl=done.text is None)


@dataclass(frozen=True, slots=True)
class _Existing:
    """The manifest as it is now; `text` and `rules` are None if there is none."""

    path: Path
    text: str | None
    rules: Rules | None

    @classmethod
    def read(cls, path: Path) -> _Existing:
        """Read it.

        Raises:
            ManifestProblems: if it is there and can't be used: nothing could be added to it that is sure to work.
        """
        if not path.exists():
            return cls(path, None, None)
        rules = load_rules([path])
        return cls(path, path.read_bytes().decode(), rules)


@dataclass(frozen=True, slots=True)
class _Proposal:
    """What to write: a rule for each function that was chosen, and what became of the new ones that were not."""

    targets: tuple[Target, ...]
    changes: Changes
    chosen: frozenset[str]
    asked: bool

    @property
    def proposed(self) -> list[FoundFunction]:
        """The functions that get a rule, commented out if nobody was asked."""
        return [each for each in self.changes.choices if each.arn in self.chosen] if self.asked else [*self.changes.new]

    @property
    def left(self) -> list[FoundFunction]:
        """The new functions that a person was asked about and did not choose: named, so that they are not new again."""
        return [each for each in self.changes.new if each.arn not in self.chosen] if self.asked else []

    def rules(self, schemas: Mapping[str, str]) -> list[str]:
        """The lines of the rules. `schemas` are the paths of schemas by function name."""
        profiles = {target.account: target.profile for target in self.targets}
        lines: list[str] = []
        for each in self.proposed:
            schema, profile = schemas.get(each.name), profiles.get(each.place[0])
            lines += [""] if lines else []  # never the first, which could stand behind a text that it would be part of
            lines += rule_lines(each, allowed=each.arn in self.chosen, schema=schema, profile=profile)
        return [*lines, *(f"# not chosen: {each.arn}" for each in self.left)]


def _targets(
    profiles: Sequence[str],
    roles: Sequence[str],
    account: str | None,
    regions: Sequence[str],
    endpoint_url: str | None,
) -> tuple[list[Target], list[str]]:
    if (roles or account) and len(profiles) > 1:
        raise click.UsageError("--role-arn and --account take one --profile, whose credentials they are read with")
    if account is not None and (roles or not is_account(account)):
        raise click.UsageError("--account takes 12 digits, and no --role-arn, which names an account already")
    if bad := [role for role in roles if role.count(":") < 5]:
        raise click.BadParameter(f"{bad[0]!r} is not the ARN of a role", param_hint="'--role-arn'")
    targets, problems = find_targets(profiles or [None], roles, account, regions, endpoint_url)
    if not targets:
        raise click.ClickException("\n".join(["no account can be read.", *problems, _SIGN_IN]))
    return targets, problems


def _with_roles(proposal: _Proposal) -> _Proposal:
    with working("Reading roles") as tell:
        functions, problems = read_policies(proposal.targets, proposal.proposed, tell)
    _warn(problems)
    found = {each.arn: each for each in functions}
    changes = proposal.changes
    choices, new = (tuple(found.get(each.arn, each) for each in some) for some in (changes.choices, changes.new))
    return replace(proposal, changes=replace(changes, choices=choices, new=new))


def _from_template(path: Path, account: str | None, regions: Sequence[str], endpoint_url: str | None) -> Inventory:
    if account is None or not is_account(account) or not regions:
        raise click.UsageError("--template needs --account, of 12 digits, and --region: where it is deployed")
    target = Target(account=account, regions=list(dict.fromkeys(regions)), endpoint_url=endpoint_url)
    try:
        return read_template(read_regular(path, SIZE_LIMIT).decode(), (target,))
    except (TemplateError, OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path}: {error}") from None


def _tags_of(tags: Sequence[str]) -> dict[str, str]:
    if bad := [tag for tag in tags if "=" not in tag]:
        raise click.BadParameter(f"{bad[0]!r} is not KEY=VALUE", param_hint="'--tag'")
    return {key: value for key, _, value in (tag.partition("=") for tag in tags)}


def _choose(functions: Sequence[FoundFunction], *, new: bool) -> frozenset[str]:
    """Ask which functions may be called. None is chosen beforehand."""
    if not functions:
        return frozenset()
    choices = [questionary.Choice(_title(each), each.arn) for each in functions]
    asked = "Which functions may an assistant call?" if new else "Which more functions may an assistant call?"
    keys = "(space selects, type to filter)"
    answer = questionary.checkbox(asked, choices, instruction=keys, use_search_filter=True, use_jk_keys=False).ask()
    if answer is None:
        raise click.Abort
    if new and not answer:  # who didn't know the key would never be asked for these functions again
        raise click.ClickException("no function was selected, so nothing was written: the space bar selects")
    return frozenset(answer)


def _title(function: FoundFunction) -> str:
    account, region = function.place
    qualifier = proposed_qualifier(function) or "aliases unknown"
    return f"{function.name}:{qualifier}  {account} {region}  {guess_effect(function).effect}"


@dataclass(frozen=True, slots=True)
class _Done:
    """What was written, or of a dry run the `text` that would be. `rules` are those in force then, None if unknown."""

    rules: int | None = None
    added: int = 0
    commented_out: int = 0
    not_chosen: int = 0
    text: str | None = None

    def told(self, path: Path) -> str:
        """The same for people."""
        if self.text is not None:
            return self.text
        if self.rules is None:
            return f"{path}: nothing to add."
        uncomment = ", uncomment what may be called" if self.commented_out else ""
        return (
            f"Wrote {path}, with {plural(self.rules, 'rule')} in force. Added: {self.added} in force, "
            f"{self.commented_out} commented out, {self.not_chosen} not chosen.\n"
            f"Read it{uncomment}, then: lambda-warden check {path}"
        )


def _schemas(proposal: _Proposal, samples: Path | None, tag: str | None) -> dict[str, dict[str, Any]]:
    """Payload schemas by function name: of the registry, and of samples, which a person put there, before it."""
    found: dict[str, dict[str, Any]] = {}
    if tag is not None:
        with working("Reading schemas") as tell:
            contents, unread = read_schemas(proposal.targets, proposal.proposed, tag, tell)
        found, problems = registered_schemas(contents)
        _warn([*unread, *problems])
    if samples is not None:
        made, problems = schemas_of(samples, (each.name for each in proposal.proposed))
        _warn(problems)
        found |= made
    return found


def _write(existing: _Existing, proposal: _Proposal, made: Mapping[str, dict[str, Any]], *, dry_run: bool) -> _Done:
    """Write the manifest and its schemas, if they pass what `check` holds them to."""
    rules = proposal.rules({name: f"{_SCHEMAS}/{name}.json" for name in made})
    if existing.text is not None and not rules:
        return _Done()
    text = _text(existing, proposal, rules)
    if dry_run:
        return _Done(text=text)
    files = {existing.path.parent / _SCHEMAS / f"{name}.json": schema_text(schema) for name, schema in made.items()}
    loaded = _replace(existing, text, {path: schema for path, schema in files.items() if not path.exists()})
    unknown = [each.name for each in proposal.proposed if each.arn in proposal.chosen and each.aliases is None]
    _warn(f"{name} is commented out: its aliases could not be read" for name in unknown)
    commented = len(proposal.proposed) - len(proposal.chosen) + len(unknown)
    return _Done(len(loaded.rules.all), len(proposal.proposed) - commented, commented, len(proposal.left))


def _text(existing: _Existing, proposal: _Proposal, rules: Sequence[str]) -> str:
    if existing.text is None:
        return manifest_text(proposal.targets, rules)
    needed = {each.place for each in proposal.proposed}
    missing = missing_targets(existing.rules, proposal.targets, needed)
    try:
        return merge_text(existing.text, [target_line(target) for target in missing], rules)
    except MergeError as error:
        lines = "\n".join([*(f"  {target_line(target)}" for target in missing), *(f"  {line}" for line in rules)])
        problem = f"{existing.path} is left as it is: {error}. This would be added:"
        raise click.ClickException(f"{problem}\n{lines}") from None


def _replace(existing: _Existing, text: str, schemas: Mapping[Path, str]) -> LoadedManifest:
    """Put the new manifest in the place of the old one, whole: it is read as `check` does before."""
    folder, written = existing.path.parent, list[Path]()
    temporary: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path, schema in schemas.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(schema, encoding="utf-8")
            written.append(path)
        temporary = written_beside(existing.path, text, None if existing.text is None else existing.path)
        # What its selectors selected stands beside the manifest that it takes the place of.
        loaded = load_manifests([temporary], lambda _: lock_beside(existing.path))
        if existing.text is not None and existing.path.read_bytes() != existing.text.encode():
            raise click.ClickException(f"{existing.path} has changed meanwhile. Run this again")
        temporary.replace(existing.path)
    except (ManifestError, OSError, click.ClickException) as error:
        for path in (*written, *([temporary] if temporary else [])):
            path.unlink(missing_ok=True)
        if isinstance(error, click.ClickException):
            raise
        problem = str(error).replace(str(temporary), str(existing.path))
        raise click.ClickException(f"nothing was written: {problem}") from None
    return loaded


def _warn(problems: Iterable[str]) -> None:
    for problem in problems:
        print_warning(problem)
