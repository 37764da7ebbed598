"""Which sink a URL means, and how it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from lambda_warden.errors import SettingsError, SinkError
from lambda_warden.sinks.file import FileSink
from lambda_warden.sinks.sink import Sink

_AWS: Final = frozenset({"required", "region", "profile", "endpoint_url"})
_OPTIONS: Final = {"file": frozenset({"required"}), "cloudwatch": _AWS, "s3": _AWS | {"retain_days"}}
_FORMS: Final = "file:///PATH, cloudwatch://GROUP/STREAM?region=… or s3://BUCKET/PREFIX?retain_days=…"


@dataclass(frozen=True, slots=True)
class OpenSink:
    """A sink as the operator wants it.

    Attributes:
        name: for messages: its URL without options.
        sink: what it is.
        required: whether nothing is done whose record is not there.
    """

    name: str
    sink: Sink
    required: bool


def open_sink(url: str) -> OpenSink:
    """The sink that a URL names. Nothing is written, nor is anybody asked yet.

    Raises:
        SettingsError: if it names none, or the AWS configuration gives no client.
    """
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    options = dict(pairs)
    allowed = _OPTIONS.get(parts.scheme)
    if allowed is None:
        raise SettingsError(f"{url!r} is no sink: {_FORMS}")
    if "#" in url or len(options) < len(pairs):  # an option would be dropped without a word
        raise SettingsError(f"the sink {url!r} has a # (write %23), or an option twice")
    if unknown := options.keys() - allowed:
        raise SettingsError(f"the sink {url!r} has no option {sorted(unknown)[0]}: {', '.join(sorted(allowed))}")
    required = options.get("required", "false")
    if required not in ("true", "false"):
        raise SettingsError(f"the sink {url!r}: required is true or false")
    try:
        sink = _open(parts.scheme, f"{parts.netloc}{unquote(parts.path)}", options)
    except (SinkError, ValueError) as error:
        raise SettingsError(f"the sink {url!r} can't be used: {error}") from None
    return OpenSink(f"{parts.scheme}://{parts.netloc}{parts.path}", sink, required == "true")


def _open(scheme: str, place: str, options: dict[str, str]) -> Sink:
    if scheme == "file":
        if not place.startswith("/"):
            raise ValueError("expected file:///PATH, with three slashes")
        return FileSink(Path(place))
    # boto3 is loaded only for who wants it.
    from lambda_warden.aws.log_sink import LogSink
    from lambda_warden.aws.object_sink import ObjectSink
    from lambda_warden.aws.sink_client import sink_client

    where = options.get("region"), options.get("profile"), options.get("endpoint_url")
    if scheme == "s3":
        bucket, _, prefix = place.partition("/")
        return ObjectSink(sink_client("s3", *where), bucket, prefix.strip("/"), int(options.get("retain_days", "0")))
    group, _, stream = place.rstrip("/").rpartition("/")
    if not group or not stream:
        raise ValueError("expected cloudwatch://GROUP/STREAM; a group that begins with / has three slashes")
    return LogSink(sink_client("logs", *where), group, stream)
