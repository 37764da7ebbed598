"""Whoever can write to the table can't change the past unseen, as far as chains show."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from lambda_warden.store.audit_log import Limit, RecordError
from lambda_warden.store.aws_url import read_aws_url
from lambda_warden.store.dynamodb.client import make_client
from lambda_warden.store.hash_chain import Verification, link
from lambda_warden.store.opening import open_store

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Attacker:
    """Whoever may write to the table, and what they find there: two servers' chains, the second after the first."""

    def __init__(self, url: str) -> None:
        self._url, place = url, read_aws_url("dynamodb", url.partition(":")[2])
        self._name = place.name
        self._client: DynamoDBClient = make_client(place)
        writers = []
        for number in range(2):
            with closing(open_store(url).audit_log()) as records:
                writers.append(records.writer)
                for call in range(3):
                    records.append("denial", f"call-{number}-{call}", {"n": call})
        self.first, self.second = writers
        self.noted = self.verify().heads

    def close(self) -> None:
        self._client.close()

    def key(self, pk: str, sk: str) -> Any:
        return {"pk": {"S": pk}, "sk": {"S": sk}}

    def set(self, writer: str, sk: str, name: str, value: Any) -> None:
        self._client.update_item(
            TableName=self._name,
            Key=self.key(f"writer#{writer}", sk),
            UpdateExpression="SET #n = :v",
            ExpressionAttributeNames={"#n": name},
            ExpressionAttributeValues={":v": value},
        )

    def forge(self, writer: str, seq: int) -> None:
        """Add an event that fits those before it, as who knows how they are hashed can."""
        key = self.key(f"writer#{writer}", f"{seq - 1:012d}")
        item: Any = self._client.get_item(TableName=self._name, Key=key)["Item"]
        forged = link(item["hash"]["S"], writer, seq, item["at"]["S"], "denial", "call-9", "{}")
        texts = {"sk": f"{seq:012d}", "invocation_id": "call-9", "body": "{}", "hash": forged}
        item |= {name: {"S": text} for name, text in texts.items()} | {"seq": {"N": str(seq)}}
        self._client.put_item(TableName=self._name, Item=item)

    def remove(self, pk: str, sk: str) -> None:
        self._client.delete_item(TableName=self._name, Key=self.key(pk, sk))

    def remove_chain(self, writer: str) -> None:
        for sk in (*(f"{seq:012d}" for seq in range(1, 5)), "head"):
            self.remove(f"writer#{writer}", sk)
        self.remove("writers", writer)

    def verify(self, *noted: str) -> Verification:
        with closing(open_store(self._url).audit_reader()) as reader:
            return reader.verify(noted)


@pytest.fixture
def attacker(table_url: str) -> Iterator[Attacker]:
    with closing(Attacker(table_url)) as made:
        yield made


def test_an_untouched_table_is_as_it_was_written(attacker: Attacker) -> None:
    found = attacker.verify(*attacker.noted)
    assert (found.count, len(found.heads), found.problems) == (8, 1, ())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda a: a.set(a.first, f"{2:012d}", "body", {"S": "{}"}), "record 2 of .* does not fit its hash"),
        (lambda a: a.set(a.first, f"{2:012d}", "at", {"N": "1"}), "record 2 of .* does not fit its hash"),
        (lambda a: a.set(a.first, f"{2:012d}", "seq", {"N": "7"}), "records 2 to 6 of .* are missing"),
        (lambda a: a.set(a.first, f"{3:012d}", "hash", {"S": "0" * 64}), "record 3 of .* does not fit its hash"),
        (lambda a: a.set(a.first, f"{9:012d}", "body", {"S": "{}"}), "inserted"),
        (lambda a: a.forge(a.second, 5), "end with 5, and not as they did, with 4"),
        (lambda a: a.remove(f"writer#{a.first}", f"{2:012d}"), "record 2 of .* is missing"),
        (lambda a: a.remove(f"writer#{a.second}", f"{4:012d}"), "the end was cut off"),
        (lambda a: a.remove(f"writer#{a.first}", "head"), "the end of the records of .* is missing"),
        (lambda a: a.remove_chain(a.first), "follows .* which is missing"),
    ],
    ids=["body", "type", "seq", "hash", "inserted", "forged", "removed", "cut", "head", "chain"],
)
def test_a_change_shows(attacker: Attacker, change: Callable[[Attacker], None], problem: str) -> None:
    change(attacker)
    text = "\n".join(attacker.verify().problems)

    assert re.search(problem, text), text


def test_a_chain_that_none_follows_is_missed_by_who_noted_its_head(attacker: Attacker) -> None:
    attacker.remove_chain(attacker.second)
    assert attacker.verify().problems == ()
    assert "no record has the hash" in "\n".join(attacker.verify(*attacker.noted).problems)


def test_what_is_no_item_of_ours_stops_the_calls(attacker: Attacker, table_url: str) -> None:

    with closing(open_store(table_url).audit_log()) as records:
        assert records.admit("call-1", {}, [Limit("k", per_day=9)], 60) is None
        attacker.set(records.writer, "head", "body", {"S": "[]"})
        with pytest.raises(RecordError):
            records.admit("call-2", {}, [Limit("k", per_day=9)], 60)
