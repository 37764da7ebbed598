"""Reads the functions of a CloudFormation or SAM template. Only what stands there as text counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from lambda_warden.errors import shown
from lambda_warden.model.found_function import FoundFunction, Inventory
from lambda_warden.model.function_ref import is_name, parse_qualifier, partition_of
from lambda_warden.model.target import Target

_FUNCTIONS = ("AWS::Lambda::Function", "AWS::Serverless::Function")


class TemplateError(Exception):
    """A template can't be read."""


@dataclass(frozen=True, slots=True)
class _Intrinsic:
    """A value that only CloudFormation can tell: `!Ref`, `!Sub`, `Fn::If` …"""

    tag: str
    value: Any


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags."""


def _intrinsic(loader: _Loader, tag: str, node: yaml.Node) -> _Intrinsic:
    value = loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None
    return _Intrinsic(tag, value)


_Loader.add_multi_constructor("!", _intrinsic)


def read_template(text: str, targets: tuple[Target, ...]) -> Inventory:
    """The functions of a template, in each region of its targets.

    Args:
        text: the template, YAML or JSON.
        targets: the account that it is deployed to, and where.

    Raises:
        TemplateError: if it is no template.
    """
    try:
        data = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader, whose tags make nothing but an _Intrinsic
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise TemplateError(f"is not YAML or JSON: {' '.join(str(error).split())}") from None
    resources = _mapping(_mapping(data).get("Resources"))
    if not resources:
        raise TemplateError("has no Resources. Expected a CloudFormation or SAM template")
    common = _mapping(_mapping(_mapping(data).get("Globals")).get("Function"))
    found: list[FoundFunction] = []
    skipped: list[str] = []
    for logical, resource in resources.items():
        if _mapping(resource).get("Type") not in _FUNCTIONS:
            continue
        properties = _mapping(_mapping(resource).get("Properties"))
        name = properties.get("FunctionName")
        if not isinstance(name, str) or not is_name(name):
            skipped.append(f"{shown(str(logical))}: {_why(name)}")
            continue
        aliases = _aliases(str(logical), name, resource, common, resources)
        description = properties.get("Description")
        for target in targets:
            for region in target.regions:
                arn = f"arn:{partition_of(region)}:lambda:{region}:{target.account}:function:{name}"
                found.append(FoundFunction(arn, description if isinstance(description, str) else None, aliases))
    return Inventory(targets, tuple(found), skipped=tuple(skipped))


def _aliases(
    logical: str, name: str, resource: Any, common: Mapping[str, Any], resources: Mapping[str, Any]
) -> tuple[str, ...] | None:
    """A function's aliases. None if one of them has a name that only CloudFormation can tell."""
    names: list[Any] = []
    if resource["Type"] == "AWS::Serverless::Function":
        names += [(common | resource["Properties"]).get("AutoPublishAlias")]
    for other in map(_mapping, resources.values()):
        properties = _mapping(other.get("Properties"))
        if other.get("Type") == "AWS::Lambda::Alias" and _leads_to(properties.get("FunctionName"), logical, name):
            names.append(properties.get("Name", _Intrinsic("", None)))
    try:
        return tuple(dict.fromkeys(parse_qualifier(each) for each in names if each is not None))
    except (TypeError, ValueError):
        return None


def _leads_to(value: Any, logical: str, name: str) -> bool:
    match value:
        case _Intrinsic(tag="Ref") | _Intrinsic(tag="GetAtt"):
            return str(value.value).split(".")[0] == logical
        case {"Ref": ref} | {"Fn::GetAtt": [ref, *_]}:
            return bool(ref == logical)
        case _:
            return bool(value == name)


def _why(name: object) -> str:
    if name is None:
        return "has no FunctionName, so CloudFormation makes one up when it is deployed"
    if isinstance(name, str):
        return f"its FunctionName {shown(name)} is not a function's name"
    return "its FunctionName is computed when it is deployed"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
