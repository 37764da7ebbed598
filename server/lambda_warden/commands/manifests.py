"""The manifests that a command reads: the option, and what becomes of manifests that can't be used."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Any, Final

import click

from lambda_warden.commands.options import UserPath
from lambda_warden.doctor.manifest import make_step
from lambda_warden.errors import ManifestError
from lambda_warden.guard.rules import Rules
from lambda_warden.manifests.load import LoadedManifest, load_manifests
from lambda_warden.manifests.lock import lock_beside
from lambda_warden.report.visible import inline

INIT_OUTPUT: Final = "~/.config/lambda-warden/manifest.yaml"  # where `init` writes, unless it is told


def need_manifest(_: click.Context, param: click.Parameter, given: tuple[Path, ...]) -> tuple[Path, ...]:
    """Have at least one manifest given, or say where one is, or how to make one."""
    if not given:
        option = param.opts[0] if isinstance(param, click.Option) else "the file of"
        made = Path(INIT_OUTPUT).expanduser()
        step = f"there is {made}" if made.is_file() else "`lambda-warden init` makes one"
        raise click.UsageError(f"give {option} a manifest, or LAMBDA_WARDEN_MANIFEST; {step}")
    return given


manifest_option = click.option(
    "--manifest",
    "manifests",
    type=click.Path(path_type=Path),
    multiple=True,
    callback=need_manifest,
    envvar="LAMBDA_WARDEN_MANIFEST",
    help="The allowlist: a file, or a folder of them. It has to be given, and may be several times.",
)

manifests_argument = click.argument(
    "manifests",
    type=UserPath(path_type=Path),
    nargs=-1,
    callback=need_manifest,
    envvar="LAMBDA_WARDEN_MANIFEST",
    metavar="MANIFEST…",
)


class ManifestProblems(click.ClickException):
    """Every problem of the manifests, one line each, on stderr, and how to make one that is not there. Exit code 2, so
    that it is no answer.

    Args:
        lines: the problems.
        step: what to do next.
    """

    exit_code = 2

    def __init__(self, lines: Iterable[str], step: str | None) -> None:
        super().__init__("\n".join((*map(inline, lines), *(["Next: " + step] if step else []))))

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the lines, each in one."""
        click.echo(self.message, err=True, file=file)


class NoManifest(ManifestProblems):
    """The same, where the manifests are all that the command is about."""

    exit_code = 1


def print_warning(text: str) -> None:
    """Print a warning on stderr, in a line that nothing in it can end: keys and names of files are from outside."""
    click.echo(f"Warning: {inline(text)}", err=True)


def load(
    paths: Sequence[Path],
    problems: type[ManifestProblems] = ManifestProblems,
    lock_of: Callable[[Path], Path | None] = lock_beside,
) -> LoadedManifest:
    """Manifests, read as one. `lock_of` is where the lock file of each is: see `load_manifests`.

    Raises:
        ManifestProblems: of the given kind, if they can't be used.
    """
    try:
        return load_manifests(paths, lock_of)
    except ManifestError as error:
        raise problems(error.problems, make_step(paths)) from None


def load_rules(paths: Sequence[Path]) -> Rules:
    """The rules of manifests, read as one. What is not locked, so that its rules are missing, is said on stderr.

    Raises:
        ManifestProblems: if they can't be used.
    """
    loaded = load(paths)
    for line in loaded.lock_problems():
        print_warning(line)
    return loaded.rules


def warn_of_manifests_in(folder: Path, manifests: Sequence[Path]) -> None:
    """Hosts start servers in the folder that their agent works on; some in the root, which says nothing."""
    if folder == Path(folder.anchor):
        return
    elsewhere = "Move it elsewhere, such as ~/.config/lambda-warden/."
    if Path.home().is_relative_to(folder):  # where a terminal begins
        elsewhere = "Have the agent work in a folder of its own."
    for path in filter(Path.exists, [*manifests, *map(lock_beside, manifests)]):
        # A link can be replaced where it lies, and what it leads to where that is.
        if any(where.is_relative_to(folder) for where in (Path(os.path.abspath(path)), path.resolve())):  # noqa: PTH100
            print_warning(
                f"the manifest {path} lies in the working folder {folder}: an agent that may edit files there could "
                f"allow itself anything. {elsewhere}"
            )
