"""Errors that their reader can act on."""

from __future__ import annotations


class ArgumentError(ValueError):
    """A request's argument is not usable. Nothing was sent and nothing was changed.

    Args:
        argument: the name of the argument, as the caller wrote it.
        problem: what is wrong with it.
        expected: the form that would be right.
    """

    def __init__(self, argument: str, problem: str, expected: str) -> None:
        self.argument = argument
        self.problem = problem
        self.expected = expected
        super().__init__(f"{argument}: {problem}. Expected {expected}.")


class ManifestError(Exception):
    """A manifest can't be used. Carries every problem found, one line each, `FILE:LINE: KEY: …`."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class SettingsError(Exception):
    """A flag, a LAMBDA_WARDEN_* variable or an AWS setting can't be used, so the server does not start."""


class SinkError(Exception):
    """Records could not be written to a sink, or read from it."""


def shown(text: str, limit: int = 80) -> str:
    """Quote outside text for an error: escaped to ASCII, and cut after `limit` characters.

    >>> print(shown("café"))
    'caf\\xe9'
    """
    return ascii(text if len(text) <= limit else text[:limit] + "…")
