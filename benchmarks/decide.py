"""What a decision costs with ten rules, a thousand and ten thousand: half patterns, half exact.

    python benchmarks/decide.py [--decisions 20000]

Prints medians and 95th percentiles in microseconds, and how long the rules take to load, without the reading of their
YAML. Absolute figures are this machine's; the ratios to ten rules are what to compare.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable

from lambda_warden.guard.decide import decide
from lambda_warden.guard.rules import Rule, Rules
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.function_rule import FunctionRule
from lambda_warden.model.request import EncodedRequest
from lambda_warden.model.rule_arn import parse_rule_arn
from lambda_warden.model.target import Target

SIZES = (10, 1_000, 10_000)
ACCOUNT, REGION = "123456789012", "us-east-1"
PREFIX = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
REQUEST = EncodedRequest("RequestResponse", b'{"orderId":"A-1001","amount":12.5}', None, False, None, None, None)
LOADS = 21

# Patterns in three forms, as families of functions are named: by team, by stage, by both. A function may be of a team
# and of a stage, so these two share no qualifier.
FORMS = (("team-{:05}-*", "live"), ("*-stage-{:05}", "beta"), ("service-{:05}-*-main", "live"))


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="How the cost of a decision grows with the number of rules.")
    parser.add_argument("--decisions", type=int, default=20_000, help="decisions of each kind (default 20000)")
    decisions: int = parser.parse_args().decisions
    specs = {size: [_rule(number) for number in range(size)] for size in SIZES}
    loaded = {size: _rules(specs[size]) for size in SIZES}

    print(f"Load of Rules, median of {LOADS} (ms)")
    _print_row("", {size: [_load_ms(specs[size]) for _ in range(LOADS)] for size in SIZES}, "per rule", _per_rule)

    print(f"One decision, {decisions:,} of each (µs)")
    for label, name, qualifier in (
        ("exact rule", "function-00000", "live"),
        ("pattern", "team-00001-report", "live"),
        ("pattern, by its end", "report-stage-00003", "beta"),
        ("miss", "team-payroll", "live"),
    ):
        expected = label != "miss"
        samples: dict[int, list[float]] = {size: [] for size in SIZES}
        ref = FunctionRef("aws", REGION, ACCOUNT, name, qualifier)
        for size in SIZES:  # the first round warms up: patterns are compiled when a name first comes near them
            assert decide(ref, REQUEST, loaded[size]).decision.allowed is expected
        for _ in range(decisions // 100):
            for size in SIZES:  # in turn, so that what the machine does besides falls on all alike
                samples[size] += [_decision_us(ref, loaded[size]) for _ in range(100)]
        _print_row(label, samples, "to 10 rules", _ratio)


def _rule(number: int) -> FunctionRule:
    template, qualifier = FORMS[number // 2 % len(FORMS)] if number % 2 else ("function-{:05}", "live")
    return FunctionRule(arn=PREFIX + template.format(number), qualifiers=[qualifier])


def _rules(specs: list[FunctionRule]) -> Rules:
    compiled = [Rule(spec, parse_rule_arn(spec.arn), f"manifest.yaml:{i}") for i, spec in enumerate(specs, 1)]
    return Rules(compiled, [Target(account=ACCOUNT, regions=[REGION])])


def _load_ms(specs: list[FunctionRule]) -> float:
    gc.collect()  # of what the loads before left, which would fall on some and not on others
    started = time.perf_counter()
    _rules(specs)
    return (time.perf_counter() - started) * 1000


def _decision_us(ref: FunctionRef, rules: Rules) -> float:
    started = time.perf_counter()
    decide(ref, REQUEST, rules)
    return (time.perf_counter() - started) * 1_000_000


def _ratio(samples: dict[int, list[float]], size: int) -> str:
    return f"{statistics.median(samples[size]) / statistics.median(samples[SIZES[0]]):.2f}"


def _per_rule(samples: dict[int, list[float]], size: int) -> str:
    return f"{statistics.median(samples[size]) / size * 1000:.0f} µs"


def _print_row(
    label: str, samples: dict[int, list[float]], note: str, of: Callable[[dict[int, list[float]], int], str]
) -> None:
    for size in SIZES:
        p95 = statistics.quantiles(samples[size], n=20)[-1]
        print(
            f"  {label:<20} {size:>6,} rules   median {statistics.median(samples[size]):8.2f}   p95 {p95:8.2f}   "
            f"{note} {of(samples, size)}"
        )
    print()


if __name__ == "__main__":
    main()
