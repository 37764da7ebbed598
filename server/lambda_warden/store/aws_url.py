"""URLs of stores in AWS: what they name, and how it is reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from lambda_warden.errors import SettingsError

_OPTIONS: Final = ("region", "endpoint_url", "profile")


@dataclass(frozen=True, slots=True)
class AwsStoreUrl:
    """A table or a bucket, and how it is reached.

    Attributes:
        name: the table's or the bucket's.
        prefix: what the names of objects begin with; of a bucket alone. No slash at either end.
        region: AWS's configuration says it, if None.
        endpoint_url: AWS's own, if None.
        profile: of the AWS config files; boto3's choice, if None.
    """

    name: str
    prefix: str = ""
    region: str | None = None
    endpoint_url: str | None = None
    profile: str | None = None


def read_aws_url(scheme: str, place: str) -> AwsStoreUrl:
    """Read the URL of a store in AWS.

    Args:
        scheme: `dynamodb` or `s3`.
        place: what stands behind it and its colon.

    Raises:
        SettingsError: if it names nothing, has an option that is not known or one twice.

    >>> read_aws_url("dynamodb", "//warden?region=eu-west-1").region
    'eu-west-1'
    >>> read_aws_url("dynamodb", "//warden?regoin=eu-west-1")
    Traceback (most recent call last):
    lambda_warden.errors.SettingsError: dynamodb URL: no such option: regoin. Expected region, endpoint_url, profile
    """
    parts = urlsplit(place)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    options = dict(pairs)
    if unknown := sorted(options.keys() - set(_OPTIONS)):
        expected = f"Expected {', '.join(_OPTIONS)}"
        raise SettingsError(f"{scheme} URL: no such option: {', '.join(unknown)}. {expected}")
    prefix = unquote(parts.path).strip("/")
    if not parts.netloc or parts.fragment or len(options) < len(pairs) or (prefix and scheme != "s3"):
        form = "s3://BUCKET/PREFIX" if scheme == "s3" else f"{scheme}://TABLE"
        raise SettingsError(
            f"{scheme} URL: expected {form}?region=…&endpoint_url=…&profile=…, each option once at most"
        )
    given = {name: value or None for name, value in options.items()}
    return AwsStoreUrl(parts.netloc, prefix, **given)
