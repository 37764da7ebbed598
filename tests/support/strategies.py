"""Hypothesis strategies for the nouns of the model."""

from __future__ import annotations

import string

from hypothesis import strategies as st
from pydantic import JsonValue

from lambda_warden.model.function_ref import FunctionRef

REGIONS_OF_PARTITIONS = {
    "aws": ("us-east-1", "us-west-2", "eu-west-1", "ap-southeast-2", "mx-central-1"),
    "aws-cn": ("cn-north-1", "cn-northwest-1"),
    "aws-eusc": ("eusc-de-east-1",),
    "aws-iso": ("us-iso-east-1",),
    "aws-iso-b": ("us-isob-east-1",),
    "aws-iso-e": ("eu-isoe-west-1",),
    "aws-iso-f": ("us-isof-south-1",),
    "aws-us-gov": ("us-gov-east-1", "us-gov-west-1"),
}

READ_OTHERWISE = ("arn", "ARN", "function", "123456789012", "000000000000")
"""Names that functions may have, and that mean something else at the front of a spelling."""

_NAME_CHARACTERS = string.ascii_letters + string.digits + "-_"

plain_names = st.text(_NAME_CHARACTERS, min_size=1, max_size=64).filter(
    lambda name: name.lower() not in READ_OTHERWISE and not (len(name) == 12 and name.isdigit())
)
names = plain_names | st.sampled_from(READ_OTHERWISE)

versions = st.integers(min_value=1, max_value=10**20 - 1).map(str)
aliases = st.text(_NAME_CHARACTERS, min_size=1, max_size=128).filter(lambda alias: not alias.isdigit())
qualifiers = aliases | versions | st.sampled_from(["$LATEST", "$LATEST.PUBLISHED"])

accounts = st.text(string.digits, min_size=12, max_size=12)
places = st.sampled_from([(p, region) for p, regions in REGIONS_OF_PARTITIONS.items() for region in regions])
"""A partition and one of its regions."""

json_values: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)


@st.composite
def function_refs(
    draw: st.DrawFn, names: st.SearchStrategy[str] = names, qualifiers: st.SearchStrategy[str] = qualifiers
) -> FunctionRef:
    """References in every partition."""
    partition, region = draw(places)
    return FunctionRef(partition, region, draw(accounts), draw(names), draw(qualifiers))
