"""Somebody who may write to the table, and computes each hash anew: what they did is found by anchors elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lambda_warden.cli import main
from lambda_warden.sinks.audit_log import with_sinks
from lambda_warden.sinks.checkpoint import read_signer, write_new_key
from lambda_warden.sinks.delivery import SinkDelivery
from lambda_warden.sinks.opening import open_sink
from lambda_warden.store.audit_log import Field, IdempotencyClaim, Limit
from lambda_warden.store.aws_url import read_aws_url
from lambda_warden.store.dynamodb.client import make_client
from lambda_warden.store.hash_chain import GENESIS, link
from lambda_warden.store.opening import open_store

BODY: dict[str, Field] = {"counts_in": "rule:f", "idempotency_key": "key", "kept_seconds": 7200.0, "function": "f"}


class Thief:
    """Whoever may write to the table in which two servers made a call each."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder, place = url, folder, read_aws_url("dynamodb", url.partition(":")[2])
        self._name, self._client = place.name, make_client(place)
        (folder / "public.pem").write_text(write_new_key(folder / "key.pem"))
        self.writers = []
        for number in range(2):
            store = open_store(url).audit_log()
            sink = SinkDelivery(open_sink(f"file://{folder}/sink.jsonl"), store, read_signer(folder / "key.pem"), 9, 9)
            with closing(with_sinks(store, [sink])) as log:
                claim = IdempotencyClaim("local", f"key-{number}", f"digest-{number}", 7200)
                log.admit(f"call-{number}", BODY, [Limit("rule:f", per_day=9)], 60, claim)
                log.finish(f"call-{number}", {"outcome": "succeeded"}, ran=True, result=lambda: "{}")
                self.writers.append(log.writer)

    def close(self) -> None:
        self._client.close()

    def verify(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["records", "--records", self._url, "verify", *arguments])

    def anchored(self) -> Result:
        return self.verify("--checkpoints", f"{self._folder}/sink.jsonl", "--public-key", f"{self._folder}/public.pem")

    def items(self, partition: str) -> list[Any]:
        every = self._client.scan(TableName=self._name, ConsistentRead=True)["Items"]
        return sorted(
            (each for each in every if each["pk"]["S"].startswith(partition)), key=lambda each: each["sk"]["S"]
        )

    def remove(self, *items: Any) -> None:
        for item in items:
            self._client.delete_item(TableName=self._name, Key={name: item[name] for name in ("pk", "sk")})

    def rewrite(self, writer: str, change: Callable[[dict[str, Any]], None], keep: int = 99) -> None:
        """Write a chain anew, with its end: as if it had always been so."""
        *events, end = self.items(f"writer#{writer}")
        head = GENESIS
        for item in events[:keep]:
            body = json.loads(item["body"]["S"])
            change(body)
            item["body"]["S"] = json.dumps(body, separators=(",", ":"), sort_keys=True)
            texts = [item[name]["S"] for name in ("at", "kind", "invocation_id", "body")]
            head = item["hash"]["S"] = link(head, writer, int(item["seq"]["N"]), *texts)
            self._client.put_item(TableName=self._name, Item=item)
        self.remove(*events[keep:])
        end["body"]["S"] = json.dumps(json.loads(end["body"]["S"]) | {"hash": head, "seq": min(keep, len(events))})
        self._client.put_item(TableName=self._name, Item=end)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda thief: thief.rewrite(thief.writers[1], lambda body: body.update(function="g")), "was rewritten"),
        (
            lambda thief: thief.rewrite(thief.writers[1], lambda _: None, keep=2),
            "record 3 to 3|records 3 to 3 were cut off",
        ),
        (
            lambda thief: thief.remove(
                *thief.items(f"writer#{thief.writers[1]}"),
                *(each for each in thief.items("writers") if each["sk"]["S"] == thief.writers[1]),
            ),
            "its whole chain is gone: 3 records were there",
        ),
    ],
    ids=["rewritten", "cut", "dropped"],
)
def test_a_history_that_is_whole_in_itself_is_found_by_its_anchors(
    change: Callable[[Thief], None], told: str, table_url: str, tmp_path: Path
) -> None:
    with closing(Thief(table_url, tmp_path)) as thief:
        assert thief.anchored().exit_code == 0, thief.anchored().output
        change(thief)
        assert thief.verify().exit_code == 0, thief.verify().output
        found = thief.anchored()
        assert found.exit_code == 1
        assert any(each in found.stderr for each in told.split("|")), found.stderr


@pytest.mark.parametrize(
    ("partition", "told"),
    [("limit#", "the limit rule:f was reset"), ("id#call-1", "its idempotency key is free for another")],
)
def test_what_is_reset_beside_the_chains_is_found(partition: str, told: str, table_url: str, tmp_path: Path) -> None:
    with closing(Thief(table_url, tmp_path)) as thief:
        thief.remove(*(each for each in thief.items(partition) if each["sk"]["S"] in ("units", "call")))
        found = thief.verify()
        assert found.exit_code == 1
        assert told in found.stderr
