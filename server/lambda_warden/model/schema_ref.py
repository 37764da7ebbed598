"""Which schema of an EventBridge schema registry is meant."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ARN = re.compile(
    r"arn:aws[a-z-]*:schemas:([a-z0-9-]{1,32}):([0-9]{12}):schema/([A-Za-z0-9._-]{1,64})/([A-Za-z0-9._@-]{1,385})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class SchemaRef:
    """A schema in a registry."""

    region: str
    account: str
    registry: str
    name: str


def parse_schema_arn(text: str) -> SchemaRef | None:
    """The schema that an ARN names, arn:PARTITION:schemas:REGION:ACCOUNT:schema/REGISTRY/NAME; None if it is none.

    >>> parse_schema_arn("arn:aws:schemas:us-east-1:123456789012:schema/orders/Refund@1").name
    'Refund@1'
    """
    found = _ARN.fullmatch(text)
    return SchemaRef(*found.groups()) if found else None
