"""The policy in force: rules, the clients that reach their targets, and the region for names without one."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING

from lambda_warden.aws.configuration_cache import Configurations
from lambda_warden.errors import SettingsError
from lambda_warden.guard.rules import Rules
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.outcome import Refused
from lambda_warden.model.target import Target
from lambda_warden.settings import Settings

if TYPE_CHECKING:
    from lambda_warden.aws.api import Aws
    from lambda_warden.aws.configuration import Configuration


class Policy:
    """One state of the manifests. A call is carried out under one policy from its beginning to its end.

    boto3 is not loaded before it is needed, or `prepare` is called: it takes longer than all the rest of a start.
    """

    def __init__(self, settings: Settings, rules: Rules) -> None:
        self.rules = rules
        self.configurations = Configurations(self._read_configuration)
        self._settings = settings
        self._lock = threading.Lock()
        self._aws: Aws | None = None
        self._targets = {(target.account, region): target for target in rules.targets for region in target.regions}

    @property
    def aws(self) -> Aws:
        """What asks AWS. The first use loads boto3.

        Raises:
            SettingsError: if a profile does not exist or an AWS config file can't be read.
        """
        with self._lock:
            if self._aws is None:
                from lambda_warden.aws.api import Aws

                self._aws = Aws(self._settings, self.rules.targets)
            return self._aws

    def prepare(self) -> None:
        """Load boto3 and make the client of the first target, so that no call has to wait for that.

        Raises:
            Exception: whatever the first call would end with.
        """
        for account, region in list(self._targets)[:1]:
            self.aws.clients.for_invoking(account, region)

    def close(self) -> None:
        """Close the connections that wait to be used again."""
        with self._lock:
            if self._aws is not None:
                self._aws.clients.close()

    @cached_property
    def default_region(self) -> str | None:
        """The region for names without one: the settings', or that of the AWS configuration where it matters."""
        if self._settings.region is not None or len({region for _, region in self._targets}) < 2:
            return self._settings.region
        return self.aws.clients.default_region()

    def target(self, ref: FunctionRef) -> Target | None:
        """The target that a function is reached by."""
        return self._targets.get((ref.account, ref.region))

    def _read_configuration(self, ref: FunctionRef) -> Configuration | Refused:
        try:
            return self.aws.read_configuration(ref)
        except SettingsError as error:
            return Refused("SettingsError", str(error))


def make_policy(settings: Settings, rules: Rules) -> Policy:
    """Put rules into force. Nothing is sent to AWS before the first call.

    Raises:
        SettingsError: if the settings don't fit the manifests or the AWS configuration.
    """
    regions = {region for target in rules.targets for region in target.regions}
    if settings.region is not None and settings.region not in regions:
        known = ", ".join(sorted(regions))
        raise SettingsError(f"region {settings.region!r} is in no target of the manifest. Expected one of: {known}")
    policy = Policy(settings, rules)
    if settings.names_profile or any(target.profile for target in rules.targets):
        _ = policy.aws  # a profile that does not exist is told now, and not at the first call
    return policy
