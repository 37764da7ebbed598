"""Where AWS credentials come from, for the functions and for the stores."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any, Never

import boto3
from botocore.credentials import AssumeRoleProvider, ProcessProvider
from botocore.exceptions import BotoCoreError
from botocore.loaders import Loader, create_loader


class MfaRequiredError(BotoCoreError):
    """A profile asks for an MFA code, which nobody is asked for."""

    fmt = "the profile asks for an MFA code, and nobody is asked for one"


def new_session(profile: str | None, region: str | None = None) -> boto3.Session:
    """A session that reads credentials from wherever they come, and never asks a person or reads from the terminal.

    Raises:
        botocore.exceptions.BotoCoreError: if the profile does not exist or an AWS config file can't be read.
    """
    session = boto3.Session(profile_name=profile, region_name=region)
    known = session._session
    known.register_component("data_loader", _loader(known.get_config_variable("data_path")))
    _make_quiet(known.get_component("credential_provider").providers)
    return session


@cache
def _loader(data_path: str | None) -> Loader:
    """Reads what botocore knows of services and endpoints: 0.1 s, which every session would take anew."""
    return create_loader(data_path)


def _make_quiet(providers: Iterable[Any]) -> list[Any]:
    """botocore has no public way to say that nobody is there to be asked. Tests hold that this one works."""
    made = list(providers)
    for provider in made:
        if isinstance(provider, AssumeRoleProvider):
            private: Any = provider
            private._prompter = _no_prompt
            # For profiles that a role is assumed from.
            builder = private._profile_provider_builder
            builder.providers = partial(_quiet_providers, builder.providers)
        elif isinstance(provider, ProcessProvider):
            private = provider
            # The server's stdin is its client's, and a terminal belongs to the person who sits there.
            private._popen = partial(subprocess.Popen, stdin=subprocess.DEVNULL, start_new_session=True)
    return made


def _quiet_providers(make: Callable[..., Iterable[Any]], *args: Any, **keys: Any) -> list[Any]:
    return _make_quiet(make(*args, **keys))


def _no_prompt(_: str) -> Never:
    raise MfaRequiredError
