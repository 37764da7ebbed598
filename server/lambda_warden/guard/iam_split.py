"""iam_split: statements of an IAM policy → policies that are each small enough to be a managed policy.

IAM evaluates all policies that are attached to an identity together, and a Deny in any of them wins over every Allow
("Policy evaluation logic", IAM User Guide). So a statement may be split between policies by its resources, and a Deny
need stand in one of them alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

MANAGED_POLICY_LIMIT: Final = 6144
"""Characters of a managed policy, white space not counted ("IAM and AWS STS quotas", IAM User Guide)."""

_VERSION: Final = "2012-10-17"


def split_statements(statements: Iterable[Mapping[str, Any]], max_characters: int) -> list[dict[str, Any]]:
    """Put statements into as few policies as their order allows, none larger than the limit.

    Args:
        statements: each with its `Resource`, a list. Statements and resources keep their order.
        max_characters: of a policy, white space not counted.

    Raises:
        ValueError: if one resource with its statement is larger than that alone.
    """
    split: list[dict[str, Any]] = []
    rest = 0  # characters that the last policy still takes; one for a comma is counted with each part
    for statement in statements:
        head = _size({**statement, "Resource": []}) + 1
        begun = False
        for resource in statement["Resource"]:
            size = _size(resource) + 1
            if (size if begun else head + size) > rest:
                split.append({"Version": _VERSION, "Statement": []})
                rest, begun = max_characters - _size(split[-1]), False
            if not begun:
                split[-1]["Statement"].append({**statement, "Resource": []})
                rest, begun = rest - head, True
            split[-1]["Statement"][-1]["Resource"].append(resource)
            rest -= size
            if rest < 0:
                raise ValueError(f"a policy of {max_characters:,} characters can not hold {resource}")
    return split


def _size(part: Any) -> int:
    return len(json.dumps(part, separators=(",", ":")))
