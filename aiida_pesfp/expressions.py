"""Expressions over what is known of a candidate, such as ``xi > 0.25 and mpe < 0.5``, evaluated without ``eval``."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Iterable, Mapping

_BINARY = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
_UNARY = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_}
_COMPARE = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda value, container: value in container,
    ast.NotIn: lambda value, container: value not in container,
}
_FUNCTIONS = {'abs': abs, 'log10': math.log10, 'sqrt': math.sqrt, 'min': min, 'max': max}


class _Unknown(Exception):
    """A value in an expression is not known."""


class Expression:
    """Names, numbers, text in quotes, lists, ``+ - * /``, comparisons, ``and``, ``or``, ``not``, ``in``, and functions.

    A comparison with what is not known (None) is false; any other value made of it is not known either.
    """

    def __init__(self, text: str, names: Iterable[str]):
        """
        :param text: the expression.
        :param names: that may occur in it.
        :raises ValueError: if it holds anything else.
        """
        self.text = text
        names = tuple(names)
        try:
            self._tree = ast.parse(text.strip(), mode='eval').body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ValueError(
                f'{text!r} is not an expression: write something like "xi > 0.25 and mpe < 0.5"'
            ) from error
        for node in ast.walk(self._tree):
            self._check(node, names)

    def __call__(self, values: Mapping):
        """The value for some values of the names; None if it is not known."""
        try:
            return self._value(self._tree, values)
        except (_Unknown, ZeroDivisionError, OverflowError):
            return None
        except (TypeError, ValueError) as error:
            raise ValueError(f'{self.text!r} cannot be evaluated: {error}') from error

    def _check(self, node: ast.AST, names: tuple[str, ...]) -> None:
        if isinstance(node, ast.Name) and node.id not in names and node.id not in _FUNCTIONS:
            raise ValueError(f'{node.id!r} in {self.text!r} is not known: take any of {", ".join(names)}')
        if isinstance(node, ast.Call) and (
            not isinstance(node.func, ast.Name) or node.func.id not in _FUNCTIONS or node.keywords
        ):
            raise ValueError(f'{ast.unparse(node)!r} is not allowed: functions are {", ".join(_FUNCTIONS)}')
        allowed = (
            ast.Expression,
            ast.Name,
            ast.Call,
            ast.BoolOp,
            ast.BinOp,
            ast.UnaryOp,
            ast.Compare,
            ast.List,
            ast.Tuple,
        )
        operators = (ast.Load, ast.And, ast.Or, *_BINARY, *_UNARY, *_COMPARE)
        constant = isinstance(node, ast.Constant) and isinstance(node.value, (int, float, str))
        if not constant and not isinstance(node, (*allowed, *operators)):
            raise ValueError(f'{type(node).__name__} in {self.text!r} is not allowed in an expression')

    def _value(self, node: ast.AST, values: Mapping):
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                if values[node.id] is None:
                    raise _Unknown
                return values[node.id]
            case ast.List() | ast.Tuple():
                return [self._value(entry, values) for entry in node.elts]
            case ast.Call():
                return _FUNCTIONS[node.func.id](*(self._value(argument, values) for argument in node.args))
            case ast.BoolOp():
                combine = all if isinstance(node.op, ast.And) else any
                return combine(bool(self._value(entry, values)) for entry in node.values)
            case ast.UnaryOp():
                return _UNARY[type(node.op)](self._value(node.operand, values))
            case ast.BinOp():
                sides = self._value(node.left, values), self._value(node.right, values)
                if any(not isinstance(side, (int, float)) for side in sides):
                    raise TypeError(f'{ast.unparse(node)} is no calculation with numbers')
                return _BINARY[type(node.op)](*sides)
            case _:
                return self._compare(node, values)

    def _compare(self, node: ast.Compare, values: Mapping) -> bool:
        try:
            left = self._value(node.left, values)
            for sign, right in zip(node.ops, node.comparators):
                right = self._value(right, values)
                if not _COMPARE[type(sign)](left, right):
                    return False
                left = right
        except _Unknown:
            return False
        return True
