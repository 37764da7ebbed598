"""Findings of `doctor` and `check`, as they are collected and shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lambda_warden.commands.console import STATES, print_line, working
from lambda_warden.doctor.finding import Finding


def collect(findings: Iterable[Finding], what: str) -> list[Finding]:
    """Wait for all of them, and say on a terminal how far it is."""
    found: list[Finding] = []
    with working(what) as tell:
        for finding in findings:
            found.append(finding)
            tell(f"{what}: {finding.check}, {finding.subject}")
    return found


def print_findings(findings: Sequence[Finding]) -> None:
    """Print each with its state and, where it is not well, the manifest's line and the next thing to do."""
    width = max((len(finding.check) for finding in findings), default=0)
    for finding in findings:
        head = f"{finding.state:<7}  {finding.check:<{width}}  "
        print_line(f"{finding.subject}: {finding.detail}", label=(head, STATES[finding.state]))
        for name, text in (("at", finding.source), ("next", finding.next_step)):
            if text is not None:
                print_line((f"{name}: ", "dim"), text, label=" " * len(head))


def count_of(findings: Iterable[Finding], state: str) -> int:
    """How many there are of a state."""
    return sum(finding.state == state for finding in findings)
