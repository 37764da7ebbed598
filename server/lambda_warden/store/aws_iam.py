"""What the credentials of a server, or of whoever makes its store, need of IAM for that: statements, and no more."""

from __future__ import annotations

from typing import Any, Final, Literal

from lambda_warden.model.function_ref import partition_of
from lambda_warden.store.aws_url import AwsStoreUrl

# A transaction needs what its parts need.
_TABLE_ACTIONS: Final = {
    "serve": (
        "BatchGetItem",
        "ConditionCheckItem",
        "DeleteItem",
        "DescribeTable",
        "GetItem",
        "PutItem",
        "Query",
    ),
    "read": ("BatchGetItem", "DescribeTable", "GetItem", "Query", "Scan"),
    "create": (
        "CreateTable",
        "DescribeContinuousBackups",
        "DescribeTable",
        "DescribeTimeToLive",
        "UpdateContinuousBackups",
        "UpdateTable",
        "UpdateTimeToLive",
    ),
}
_OBJECT_ACTIONS: Final = {"serve": ("GetObject", "PutObject"), "read": ("GetObject",)}
_BUCKET_ACTIONS: Final = {"create": ["s3:GetLifecycleConfiguration", "s3:ListBucket"]}

Use = Literal["serve", "read", "create"]
"""serve: what a server does, and who decides on approvals or pauses. read: records, results and lists alone. create:
`lambda-warden store create` and `check`."""


def table_policy(url: AwsStoreUrl, account: str, use: Use) -> dict[str, Any]:
    """The policy for a table.

    Args:
        url: the table. Without a region, it stands for any.
        account: its 12 digits, or `*`.
        use: what it is for.
    """
    partition = (url.region and partition_of(url.region)) or "aws"
    arn = f"arn:{partition}:dynamodb:{url.region or '*'}:{account}:table/{url.name}"
    return _policy({"Action": [f"dynamodb:{action}" for action in _TABLE_ACTIONS[use]], "Resource": arn})


def bucket_policy(url: AwsStoreUrl, use: Use) -> dict[str, Any]:
    """The policy for results below a prefix of a bucket; as `create`, for `lambda-warden store check`."""
    partition = (url.region and partition_of(url.region)) or "aws"
    arn = f"arn:{partition}:s3:::{url.name}"
    # Who may not list is told that what is not there is forbidden, and so is who may list below a prefix alone.
    bucket = {"Action": _BUCKET_ACTIONS.get(use, ["s3:ListBucket"]), "Resource": arn}
    below = f"{url.prefix}/*" if url.prefix else "*"
    actions = [f"s3:{action}" for action in _OBJECT_ACTIONS.get(use, ())]
    return _policy(*([{"Action": actions, "Resource": f"{arn}/{below}"}] if actions else []), bucket)


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement} for statement in statements]}
