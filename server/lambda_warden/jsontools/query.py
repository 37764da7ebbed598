"""Queries: JMESPath, as the AWS CLI's --query takes it, with bounds on what an expression may cost.

The library evaluates anything to its end. Here each step costs something before it is taken, in proportion to what it
looks at or makes, so that an expression that would double its result again and again ends soon, with an error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jmespath
from jmespath.exceptions import (
    EmptyExpressionError,
    IncompleteExpressionError,
    JMESPathError,
    JMESPathTypeError,
    LexerError,
    ParseError,
)
from jmespath.functions import TYPES_MAP, Functions
from jmespath.visitor import TreeInterpreter
from pydantic import JsonValue

from lambda_warden.errors import ArgumentError, shown
from lambda_warden.jsontools.preview import json_size

QUERY_BYTES: Final = 16 * 1024 * 1024
"""Of a payload: above it, a query would take too much memory."""
LENGTH_LIMIT: Final = 1000
"""Characters of an expression."""
NESTING_LIMIT: Final = 60
"""Levels of an expression's syntax."""
STEPS_LIMIT: Final = 3_000_000
"""What an evaluation may cost: about as many visits of a node of the expression, some seconds at most."""
_TEXT_PER_STEP: Final = 8
_STRINGIFIED_LIMIT: Final = 1 << 20
_CONTAINER_STEPS: Final = 8
_INTEGER_BITS: Final = 14_000  # some 4,200 digits: Python writes no integer of more than 4,300
_EXPECTED: Final = "a JMESPath expression such as items[?price > `10`].{id: id, name: name}"
_TAKES_EXPRESSION: Final = frozenset(("map", "sort_by", "min_by", "max_by"))
_SORTS: Final = frozenset(("sort", "sort_by"))

Node = Mapping[str, Any]


class QueryError(Exception):
    """A query can't be applied to a value, or costs too much."""


@dataclass(frozen=True, slots=True)
class Query:
    """An expression that is sound."""

    text: str
    node: Node


def compile_query(text: str) -> Query:
    """Read a query.

    Args:
        text: a JMESPath expression of up to 1,000 characters and 60 levels.

    Raises:
        ArgumentError: if it is none, calls a function that does not exist or with another number of arguments, or
            could give what is no JSON.
    """
    if len(text) > LENGTH_LIMIT:
        raise _unusable(f"has {len(text):,} characters", f"at most {LENGTH_LIMIT:,}")
    try:
        node: Node = jmespath.compile(text).parsed
        _check(node)
    except RecursionError:
        raise _unusable("is nested too deeply", f"at most {NESTING_LIMIT} levels") from None
    except EmptyExpressionError:
        raise _unusable("is empty", f"{_EXPECTED}, or none") from None
    except LexerError as error:
        raise _unusable(_problem_at(error.lexer_position, error.message), _EXPECTED) from None
    except ParseError as error:
        raise _unusable(_syntax_problem(text, error), _EXPECTED) from None
    except JMESPathError as error:
        raise _unusable(str(error), _EXPECTED) from None
    return Query(text, node)


def apply(query: Query, value: JsonValue) -> JsonValue:
    """What a query selects of a value, which it leaves as it is; null where it selects nothing.

    Args:
        query: a sound expression.
        value: JSON without secrets. The result shares its parts, and may hold one part many times.

    Raises:
        QueryError: if a function gets what it can't take, or the evaluation costs too much.
    """
    try:
        return _Evaluation().visit(query.node, value)  # type: ignore[no-any-return]
    except QueryError:
        raise
    except JMESPathTypeError as error:
        expected = " or ".join(error.expected_types)
        actual = TYPES_MAP.get(error.actual_type, error.actual_type)  # of items, the library gives Python's type
        raise QueryError(f"{error.function_name}() takes {expected}, and got {actual}") from None
    except TypeError:
        raise QueryError("it compares or sorts values of different types") from None
    except (JMESPathError, ArithmeticError, ValueError) as error:
        raise QueryError(f"it can't be evaluated ({type(error).__name__})") from None
    except RecursionError:
        raise QueryError("the value is nested too deeply") from None


class _Meter:
    """Counts what an evaluation costs, and ends it where that is too much."""

    def __init__(self) -> None:
        self._left = STEPS_LIMIT

    def charge(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise QueryError("it takes too many steps; select less, earlier in the expression")

    def charge_for(self, value: Any) -> None:
        """Charge for a walk over a whole value."""
        pending = [value]
        while pending:
            node = pending.pop()
            self.charge(1 + len(node) // _TEXT_PER_STEP if isinstance(node, str) else 1)
            if isinstance(node, list):
                self.charge(len(node))
                pending += node
            elif isinstance(node, dict):
                self.charge(len(node))
                pending += node.values()


class _BoundedFunctions(Functions):
    """JMESPath's functions. Each charges for its arguments before it looks at them."""

    def __init__(self, meter: _Meter) -> None:
        super().__init__()
        self._meter = meter

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        resolved_args = list(resolved_args)
        self._charge(function_name, resolved_args)
        result = super().call_function(function_name, resolved_args)
        if isinstance(result, float) and not math.isfinite(result):
            if function_name == "to_number":  # of text such as "inf", which is no number in JSON
                return None
            raise QueryError(f"{function_name}() gives a number that is too large")
        if isinstance(result, int) and result.bit_length() > _INTEGER_BITS:
            raise QueryError(f"{function_name}() gives a number that is too large")
        return result

    def _charge(self, name: str, arguments: list[Any]) -> None:
        for argument in arguments:
            if isinstance(argument, str):
                self._meter.charge(len(argument) // _TEXT_PER_STEP)
            elif isinstance(argument, list | dict):
                self._meter.charge(len(argument) * (len(argument).bit_length() if name in _SORTS else 1))
        match name, arguments:
            case "to_string", [list() | dict() as value] if json_size(value, _STRINGIFIED_LIMIT) is None:
                raise QueryError("to_string() would give more than 1 MB of text, or is given what is nested too deeply")
            case "to_string", [list() | dict() as value]:
                self._meter.charge_for(value)
            case "join", [str() as separator, list() as texts]:
                length = sum(len(text) for text in texts if isinstance(text, str)) + len(separator) * len(texts)
                self._meter.charge(length // _TEXT_PER_STEP)
            case (("sort" | "max" | "min"), [list() as items]):
                length = sum(len(item) for item in items if isinstance(item, str))
                self._meter.charge(length // _TEXT_PER_STEP)
            case "contains", [list() as items, list() | dict()]:
                for item in items:
                    self._meter.charge_for(item)
            case _:
                pass


class _Evaluation(TreeInterpreter):
    """One evaluation. Visits are charged for, and so is what the library does in one visit for many values."""

    def __init__(self) -> None:
        super().__init__()
        self._meter = _Meter()
        self._functions = _BoundedFunctions(self._meter)

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._meter.charge(1)
        return super().visit(node, *args, **kwargs)

    def visit_comparator(self, node: Any, value: Any) -> Any:
        left, right = (self.visit(child, value) for child in node["children"])
        self._meter.charge_for(left)  # no comparison looks at more than one side holds
        return super().visit_comparator(_comparator(node["value"], left, right), value)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        base = self.visit(node["children"][0], value)
        if isinstance(base, list):
            self._meter.charge(sum(len(item) if isinstance(item, list) else 1 for item in base))
        return super().visit_flatten({"type": "flatten", "value": None, "children": [_literal(base)]}, value)

    def visit_slice(self, node: Any, value: Any) -> Any:
        if isinstance(value, list):
            self._meter.charge(len(range(*slice(*node["children"]).indices(len(value)))))
        return super().visit_slice(node, value)

    def visit_multi_select_dict(self, node: Any, value: Any) -> Any:
        self._meter.charge(_CONTAINER_STEPS)
        return super().visit_multi_select_dict(node, value)

    def visit_multi_select_list(self, node: Any, value: Any) -> Any:
        self._meter.charge(_CONTAINER_STEPS)
        return super().visit_multi_select_list(node, value)


def _literal(value: Any) -> Any:
    return {"type": "literal", "value": value, "children": []}


def _comparator(operator: str, left: Any, right: Any) -> Any:
    return {"type": "comparator", "value": operator, "children": [_literal(left), _literal(right)]}


def _check(root: Node) -> None:
    """Find what the parser lets pass, and what would fail, or give what is no JSON, on any value."""
    pending: list[tuple[Node, int]] = [(root, 1)]
    while pending:
        node, level = pending.pop()
        if level > NESTING_LIMIT:
            raise RecursionError
        kind, children = node["type"], node["children"]
        if kind == "slice":
            if children[2] == 0:
                raise _unusable("has a slice with a step of 0", "another step")
            continue  # its children are numbers
        if kind == "expref":
            raise _unusable("has a & that is no argument of " + ", ".join(sorted(_TAKES_EXPRESSION)), _EXPECTED)
        if kind == "function_expression":
            children = _check_call(node["value"], children)
        if "value" in node and not _is_json(node["value"]):
            raise _unusable("has a number or character that JSON does not have", _EXPECTED)
        pending += [(child, level + 1) for child in children]


def _check_call(name: str, arguments: list[Node]) -> list[Node]:
    """Check a call against the function's signature, and give what is inside its arguments."""
    function = Functions.FUNCTION_TABLE.get(name)
    if function is None:
        raise _unusable(
            f"calls {shown(name)}(), which does not exist", "one of " + ", ".join(sorted(Functions.FUNCTION_TABLE))
        )
    signature = function["signature"]
    variadic = bool(signature) and bool(signature[-1].get("variadic"))
    if len(arguments) < len(signature) or (len(arguments) > len(signature) and not variadic):
        least = "at least " if variadic else ""
        raise _unusable(f"gives {name}() {len(arguments)} arguments", f"{least}{len(signature)} of them")
    inside: list[Node] = []
    for position, argument in enumerate(arguments):
        takes_expression = position < len(signature) and signature[position]["types"] == ["expref"]
        if takes_expression != (argument["type"] == "expref"):
            wanted = "with" if takes_expression else "without"
            raise _unusable(f"calls {name}() wrongly", f"argument {position + 1} {wanted} a & before it")
        inside += argument["children"] if takes_expression else [argument]
    return inside


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:  # also for lone surrogates
        return False
    return True


def _syntax_problem(text: str, error: ParseError) -> str:
    if isinstance(error, IncompleteExpressionError) or error.lex_position >= len(text):
        return f"ends too early, after {shown(text[-20:])}"
    return _problem_at(error.lex_position, f"unexpected {error.token_value}")


def _problem_at(position: int, message: str) -> str:
    return f"can't be read at character {position + 1}: {shown(message)}"


def _unusable(problem: str, expected: str) -> ArgumentError:
    return ArgumentError("query", problem, expected)
