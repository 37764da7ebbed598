"""The tools of single functions that are in force, and who is shown which."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

from mcp.server.mcpserver.tools import Tool

from lambda_warden.guard.rules import Rules
from lambda_warden.invocation.pipeline import Pipeline
from lambda_warden.manifests.exposed_tools import ExposedTool
from lambda_warden.model.caller import Caller
from lambda_warden.model.result import InvokeResult
from lambda_warden.tools.invoke_function import function_tool
from lambda_warden.tools.tool import ApproverOf, ToolDeclaration, served

logger = logging.getLogger(__name__)


class FunctionTool(NamedTuple):
    """One of them: what it runs, how it is declared, and as the SDK serves it."""

    exposed: ExposedTool
    declared: ToolDeclaration[InvokeResult]
    served: Tool


class FunctionTools:
    """All of them.

    Args:
        pipeline: carries the calls out, by the rules that are in force then.
        approver: gives who asks a person, for one call.
        principal: whom calls are made for; None where each access token says so.
    """

    def __init__(self, pipeline: Pipeline, approver: ApproverOf, principal: str | None) -> None:
        self._pipeline = pipeline
        self._approver = approver
        self._principal = principal
        self._in_force: tuple[dict[str, FunctionTool], Rules] = {}, Rules((), ())
        self._functions: dict[str, str] = {}

    def put(self, exposed: Sequence[ExposedTool], rules: Rules) -> None:
        """Put the tools of newly loaded manifests into force, in one step: requests are answered meanwhile.

        A name means one function for as long as the server runs: who listed the tools before would start another one
        than is meant, and a person may have allowed their host the name.
        """
        made: dict[str, FunctionTool] = {}
        for tool in exposed:
            if (first := self._functions.setdefault(tool.name, tool.ref.function_arn)) != tool.ref.function_arn:
                logger.warning(
                    "%s is no tool before a restart: clients know it as that of %s. Expected another name in expose",
                    tool.name,
                    first,
                )
                continue
            declared = function_tool(self._pipeline, self._approver, tool)
            made[tool.name] = FunctionTool(tool, declared, served(declared, self._principal, rules))
        self._in_force = made, rules

    def named(self, name: object) -> FunctionTool | None:
        """The tool of this name, whoever may call it: what decides on a call says so, and it is on record."""
        tools, _ = self._in_force
        return tools.get(name) if isinstance(name, str) else None

    def shown_to(self, caller: Caller) -> list[Tool]:
        """Those whose functions a caller may call, in the order of the manifests."""
        tools, rules = self._in_force
        return [tool.served for tool in tools.values() if tool.exposed.is_for(caller, rules)]
