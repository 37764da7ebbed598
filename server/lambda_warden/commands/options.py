"""Options of the command line, made of the settings: names, variables, types, limits, defaults and help."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from lambda_warden.settings import TOPICS, Option, Settings

_F = TypeVar("_F", bound=Callable[..., Any])


class UserPath(click.Path):
    """A path in which ~ is the user's folder: no shell has seen what a host's configuration says."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Expand ~, then check the path as click does."""
        return super().convert(os.path.expanduser(value), param, ctx)  # noqa: PTH111 - which fails without a home


class PathOrUrl(UserPath):
    """A path, or the URL of a store, which is left as it is."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, or the URL."""
        return value if "://" in str(value) else super().convert(value, param, ctx)


def setting_option(name: str, **attributes: Any) -> Callable[[_F], _F]:
    """The option of one setting, which is also a LAMBDA_WARDEN_* variable.

    Args:
        name: the setting's.
        attributes: of the `click.option`, where a command wants another than `serve` (a help text, a default).
    """
    field = Settings.model_fields[name]
    shown = next((note for note in field.metadata if isinstance(note, Option)), Option())
    flag = shown.flag or name.replace("_", "-")
    help_text = field.description or ""
    if field.default_factory is not None:
        attributes.setdefault("default", field.default_factory)
    elif field.default is not None:
        attributes.setdefault("default", field.default)
    return click.option(
        f"--{flag}/--no-{flag}" if field.annotation is bool else f"--{flag}",
        name,
        **{
            "type": _type_of(field),
            "multiple": get_origin(field.annotation) is tuple,
            "envvar": "LAMBDA_WARDEN_" + flag.replace("-", "_").upper(),
            "show_default": shown.default or True,
            "help": help_text[:1].upper() + help_text[1:] + ".",
        }
        | attributes,
    )


class GroupedOptions(click.Command):
    """A command whose help has its settings by topic, behind its own options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write them."""
        of_settings = {name for names in TOPICS.values() for name in names}
        own = [param.name for param in self.get_params(ctx) if param.name not in of_settings]
        for topic, names in {"Options": own, **TOPICS}.items():
            shown = [param.get_help_record(ctx) for param in self.get_params(ctx) if param.name in names]
            if rows := [row for row in shown if row is not None]:
                with formatter.section(topic):
                    formatter.write_dl(rows)


def settings_options(command: _F) -> _F:
    """Give a command an option for each setting."""
    for name in reversed(Settings.model_fields):
        command = setting_option(name)(command)
    return command


def settings_of(options: dict[str, Any]) -> Settings:
    """The settings that options say.

    Raises:
        click.UsageError: for the first one that is wrong.
    """
    try:
        return Settings.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        meant = ""
        if first["type"] == "string_pattern_mismatch":  # a pattern alone is hard to read
            meant = f". Expected: {Settings.model_fields[name].description}"
        raise click.UsageError(f"--{name.replace('_', '-')}: {first['msg']}{meant}") from None


def _type_of(field: FieldInfo) -> Any:
    kind = get_args(field.annotation)[0] if get_origin(field.annotation) is tuple else field.annotation
    kinds = [each for each in get_args(kind) or (kind,) if each is not type(None)]
    if get_origin(kind) is Literal:
        return click.Choice(kinds, case_sensitive=False)
    if Path in kinds:
        return (PathOrUrl if str in kinds else UserPath)(path_type=Path, dir_okay=False)
    limits = {key: value for note in field.metadata for key, value in _limit(note).items()}
    if kinds == [int]:
        return click.IntRange(**limits)
    return click.FloatRange(**limits) if kinds == [float] else kinds[0]


def _limit(note: object) -> dict[str, Any]:
    """A bound of a field, as click's ranges take it."""
    for bound, names in {"ge": ["min"], "gt": ["min", "min_open"], "le": ["max"]}.items():
        if (value := getattr(note, bound, None)) is not None:
            return dict(zip(names, (value, True), strict=False))
    return {}
