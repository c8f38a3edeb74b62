"""Expressions such as ``xi > 0.25 and mpe < 0.5`` or ``log10(fv_connected) - 2 * mpe``: parsed, never executed."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Mapping

from aiida_pesfp.errors import ExpressionError, NoValue

LONGEST = 1000


#: Functions of every expression. The logarithm of a vanishing free volume is the lowest of all.
FUNCTIONS: dict[str, Callable] = {
    'log10': lambda x: -math.inf if x == 0 else math.log10(x),
    'log': lambda x: -math.inf if x == 0 else math.log(x),
    'exp': math.exp,
    'sqrt': math.sqrt,
    'sigmoid': lambda x: 0.5 * (1 + math.tanh(0.5 * x)),
    'abs': abs,
    'min': min,
    'max': max,
}
_BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
_UNARY = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_}
_COMPARISONS = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda value, container: value in container,
    ast.NotIn: lambda value, container: value not in container,
}


class Expression:
    """Names, numbers, text in quotes, lists, ``+ - * / **``, comparisons, ``and``, ``or``, ``not``, ``in``, functions.

    A comparison with an unknown value (None) is false; any other expression with it is unknown too. As numbers, true is
    1 and false is 0.
    """

    #: Allowed types of constants.
    _CONSTANTS: tuple[type, ...] = (int, float, str)

    def __init__(self, text: str, names: Iterable[str], functions: Iterable[str] = ()):
        """
        :param text: the expression.
        :param names: allowed names.
        :param functions: allowed functions besides :data:`FUNCTIONS`, which come with the values.
        :raises ExpressionError: if the expression contains anything else.
        """
        self.text = text
        #: The names in the expression.
        self.names: set[str] = set()
        if len(text) > LONGEST:
            raise ExpressionError(f'an expression of {len(text)} characters: the limit is {LONGEST}')
        try:
            self._tree = ast.parse(text.strip(), mode='eval').body
            self._check(self._tree, tuple(names), (*FUNCTIONS, *functions))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ExpressionError(
                f'{text!r} is not an expression: write something like "xi > 0.25 and mpe < 0.5" ({error})'
            ) from error

    def __call__(self, values: Mapping):
        """The value for given values of the names; None if it is unknown."""
        try:
            return self.value(values)
        except NoValue:
            return None

    def value(self, values: Mapping):
        """The value for given values of the names.

        :raises NoValue: if there is none, as in a division by zero.
        :raises ExpressionError: if types do not match, as in a comparison of a text with a number.
        """
        try:
            found = self._value(self._tree, values)
        except (ArithmeticError, ValueError) as error:
            raise NoValue(f'{self.text!r} has no value: {error}') from error
        except (TypeError, RecursionError) as error:
            raise ExpressionError(f'{self.text!r} cannot be evaluated: {error}') from error
        if isinstance(found, float) and math.isnan(found):
            raise NoValue(f'{self.text!r} is not a number')
        return found

    def _check(self, node: ast.AST, names: tuple[str, ...], functions: tuple[str, ...]) -> None:
        match node:
            case ast.Constant(value=value) if isinstance(value, self._CONSTANTS):
                children = []
            case ast.Name(id=name):
                if name not in names:
                    raise ExpressionError(f'{name!r} in {self.text!r} is not known: choose from {", ".join(names)}')
                self.names.add(name)
                children = []
            case ast.List(elts=children) | ast.Tuple(elts=children) | ast.BoolOp(values=children):
                pass
            case ast.BinOp(op=op) if type(op) in _BINARY:
                children = [node.left, node.right]
            case ast.UnaryOp(op=op) if type(op) in _UNARY:
                children = [node.operand]
            case ast.Compare(ops=ops) if all(type(op) in _COMPARISONS for op in ops):
                children = [node.left, *node.comparators]
            case ast.Call(func=ast.Name(id=name), args=children, keywords=[]):
                if name not in functions:
                    raise ExpressionError(
                        f'the function {name!r} in {self.text!r} is not known: choose from {", ".join(functions)}'
                    )
            case _:
                raise ExpressionError(f'{ast.unparse(node)!r} in {self.text!r} is not allowed in an expression')
        for child in children:
            self._check(child, names, functions)

    def _value(self, node: ast.AST, values: Mapping):
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                if values.get(name) is None:
                    raise NoValue(f'{self.text!r} has no value: {name} is not known')
                return values[name]
            case ast.List(elts=entries) | ast.Tuple(elts=entries):
                return [self._value(entry, values) for entry in entries]
            case ast.Call(func=ast.Name(id=name), args=arguments):
                function = FUNCTIONS.get(name) or values[name]
                return function(*(self._value(argument, values) for argument in arguments))
            case ast.BoolOp(op=op, values=entries):
                combine = all if isinstance(op, ast.And) else any
                return combine(bool(self._value(entry, values)) for entry in entries)
            case ast.UnaryOp(op=op, operand=operand):
                return _UNARY[type(op)](self._value(operand, values))
            case ast.BinOp(left=left, op=op, right=right):
                sides = self._value(left, values), self._value(right, values)
                if any(not isinstance(side, (int, float)) for side in sides):
                    raise TypeError(f'{ast.unparse(node)} does not calculate with numbers')
                # Floats overflow, while 9 ** 9 ** 9 with Python's integers would take for ever.
                return _BINARY[type(op)](*map(float, sides))
            case ast.Compare():
                return self._compare(node, values)

    def _compare(self, node: ast.Compare, values: Mapping) -> bool:
        try:
            left = self._value(node.left, values)
            for sign, right in zip(node.ops, node.comparators):
                right = self._value(right, values)
                if not _COMPARISONS[type(sign)](left, right):
                    return False
                left = right
        except NoValue:
            return False
        return True
