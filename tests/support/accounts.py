"""AWS accounts with functions, aliases, tags and roles, behind one endpoint: Lambda, STS and IAM as `init` asks them.

An account is known by the access key that signs a request, `KEY` and its id, or by the role that was assumed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote

from support.scripted_endpoint import Received, Reply, ScriptedEndpoint, refused

PAGE = 50


@dataclass
class Function:
    """One function of an account. `role` is the name of its role; empty, what is told is no ARN."""

    name: str
    aliases: Sequence[str] = ("live",)
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    role: str = "plain"


@dataclass
class Account:
    """What an account has in a region, and what it refuses. `policies` and `managed` are those of roles, by role."""

    functions: list[Function]
    refuses: tuple[str, ...] = ()
    policies: Mapping[str, object] = field(default_factory=dict)
    managed: Mapping[str, object] = field(default_factory=dict)
    schemas: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By REGISTRY/NAME: the kind, and the content as JSON Schema of Draft 4."""


class Accounts(ScriptedEndpoint):
    """A running endpoint. `accounts` are by id and region; `throttle` is how many requests are throttled first."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[tuple[str, str], Account] = {}
        self.throttle = 0

    def add(self, account: str, functions: list[Function], region: str = "us-east-1") -> Account:
        self.accounts[account, region] = Account(functions)
        return self.accounts[account, region]

    def profiles(self, home: Path) -> dict[str, str]:
        """The AWS config files for a profile of each account, `p` and its id, and the variables that name them."""
        ids = sorted({account for account, _ in self.accounts})
        keys = "".join(
            f"[p{each}]\naws_access_key_id = KEY{each}\naws_secret_access_key = secret\nregion = us-east-1\n"
            for each in ids
        )
        (home / "credentials").write_text(keys)
        return {"AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"), "AWS_ENDPOINT_URL": self.url}

    def answer(self, received: Received) -> Reply:
        with self._lock:
            self.received.append(received)
            if self.throttle and received.path.endswith("/aliases"):
                self.throttle -= 1
                return refused(429, "TooManyRequestsException", "slow down")
        signed = re.search(r"Credential=KEY(\d{12})/\d+/([a-z0-9-]+)/(\w+)/", received.headers["authorization"])
        assert signed
        account, region, service = signed.groups()
        if service in ("sts", "iam"):
            return self._query(account, region, {k: v[0] for k, v in parse_qs(received.body.decode()).items()})
        if service == "schemas":
            return self._schema(account, region, received.path)
        return self._lambda(account, region, received)

    def _schema(self, account: str, region: str, path: str) -> Reply:
        here = self.accounts.get((account, region), Account([]))
        _, _, _, _, registry, _, _, name, *export = unquote(path).split("/")
        if "DescribeSchema" in here.refuses:
            return refused(403, "ForbiddenException", "not authorized")
        if (found := here.schemas.get(f"{registry}/{name}")) is None:
            return refused(404, "NotFoundException", "no such schema")
        kind, content = found
        if export:
            return Reply(body=json.dumps({"Type": "JSONSchemaDraft4", "Content": content}).encode())
        said = {"Type": kind, "Content": content if kind == "JSONSchemaDraft4" else '{"openapi": "3.0.0"}'}
        return Reply(body=json.dumps(said).encode())

    def _lambda(self, account: str, region: str, received: Received) -> Reply:
        here = self.accounts.get((account, region), Account([]))
        arn = f"arn:aws:lambda:{region}:{account}:function:"
        *_, what = received.path.rstrip("/").split("/")
        action = {"functions": "ListFunctions", "aliases": "ListAliases"}.get(what, "ListTags")
        if action in here.refuses:
            return refused(403, "AccessDeniedException", "not authorized")
        if action == "ListFunctions":
            start = int(received.query.get("Marker", "0"))
            page = here.functions[start : start + PAGE]
            functions = [
                {
                    "FunctionName": each.name,
                    "FunctionArn": arn + each.name,
                    "Description": each.description,
                    "Role": f"arn:aws:iam::{account}:role/{each.role}" if each.role else "none",
                }
                for each in page
            ]
            more = {"NextMarker": str(start + PAGE)} if start + PAGE < len(here.functions) else {}
            return Reply(body=json.dumps({"Functions": functions, **more}).encode())
        name = unquote(received.path).rstrip("/").removesuffix("/aliases").rsplit(":", 1)[-1]
        function = next(each for each in here.functions if each.name == name)
        if action == "ListTags":
            return Reply(body=json.dumps({"Tags": dict(function.tags)}).encode())
        aliases = [{"Name": alias, "FunctionVersion": "1"} for alias in function.aliases]
        return Reply(body=json.dumps({"Aliases": aliases}).encode())

    def _query(self, account: str, region: str, asked: Mapping[str, str]) -> Reply:
        here = self.accounts.get((account, region), Account([]))
        policies = here.policies
        match asked["Action"]:
            case "GetCallerIdentity":
                inner = f"<Account>{account}</Account>"
            case "AssumeRole":
                other = asked["RoleArn"].split(":")[4]
                inner = (
                    f"<Credentials><AccessKeyId>KEY{other}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
                    "<SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>"
                )
            case "ListAttachedRolePolicies":
                role = asked["RoleName"]
                policy = f"<member><PolicyArn>arn:aws:iam::aws:policy/{role}</PolicyArn></member>"
                attached = policy if role in here.managed else ""
                inner = f"<IsTruncated>false</IsTruncated><AttachedPolicies>{attached}</AttachedPolicies>"
            case "GetPolicy":
                inner = "<Policy><DefaultVersionId>v1</DefaultVersionId></Policy>"
            case "GetPolicyVersion":
                document = quote(json.dumps(here.managed[asked["PolicyArn"].rsplit("/", 1)[-1]]))
                inner = f"<PolicyVersion><Document>{document}</Document></PolicyVersion>"
            case "ListRolePolicies":
                names = "<member>it</member>" if asked["RoleName"] in policies else ""
                inner = f"<IsTruncated>false</IsTruncated><PolicyNames>{names}</PolicyNames>"
            case "GetRolePolicy":
                document = quote(json.dumps(policies[asked["RoleName"]]))
                inner = f"<PolicyDocument>{document}</PolicyDocument>"
            case other_action:
                raise AssertionError(other_action)
        name = asked["Action"]
        body = f"<{name}Response><{name}Result>{inner}</{name}Result></{name}Response>"
        return Reply(body=body.encode(), headers={"Content-Type": "text/xml"})


@contextmanager
def accounts_endpoint() -> Iterator[Accounts]:
    """Run the accounts while the context lasts."""
    endpoint = Accounts()
    try:
        yield endpoint
    finally:
        endpoint.close()
