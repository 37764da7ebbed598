"""What is in force: rules, the clients that reach their targets, and the region for names without one."""

from __future__ import annotations

from dataclasses import dataclass

from lambda_warden.aws.clients import Clients
from lambda_warden.guard.rules import Rules
from lambda_warden.model.errors import SettingsError
from lambda_warden.settings import Settings


@dataclass(frozen=True, slots=True)
class Policy:
    """One state of the manifests. A call is carried out under one policy from its beginning to its end."""

    rules: Rules
    clients: Clients
    default_region: str | None


def make_policy(settings: Settings, rules: Rules) -> Policy:
    """Put rules into force. Nothing is sent to AWS before the first call.

    Raises:
        SettingsError: if the settings don't fit the manifests or the AWS configuration.
    """
    clients = Clients(settings, rules.targets)
    return Policy(rules, clients, _default_region(settings, clients, rules))


def _default_region(settings: Settings, clients: Clients, rules: Rules) -> str | None:
    """The region for names without one. One that was set for lambda-warden must be among the targets'."""
    regions = {region for target in rules.targets for region in target.regions}
    if settings.region is None:
        return clients.default_region()
    if settings.region not in regions:
        known = ", ".join(sorted(regions))
        raise SettingsError(f"region {settings.region!r} is in no target of the manifest. Expected one of: {known}")
    return settings.region
