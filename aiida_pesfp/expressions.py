"""Expressions such as ``xi > 0.25 and mpe < 0.5`` or ``log10(fv_connected) - 2 * mpe``: parsed, never executed."""

import ast
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from aiida_pesfp.errors import ExpressionError, NoValue, closest

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
#: Operators by their names in :mod:`ast`: between numbers, before a value, and in comparisons.
_BINARY = {'Add': operator.add, 'Sub': operator.sub, 'Mult': operator.mul, 'Div': operator.truediv, 'Pow': math.pow}
_UNARY = {'USub': operator.neg, 'UAdd': operator.pos, 'Not': operator.not_}
_ORDER = {'Lt': operator.lt, 'LtE': operator.le, 'Gt': operator.gt, 'GtE': operator.ge}
_COMPARISONS = _ORDER | {
    'Eq': operator.eq,
    'NotEq': operator.ne,
    'In': lambda value, container: value in container,
    'NotIn': lambda value, container: value not in container,
}


class Expression:
    """Names, numbers, text in quotes, lists, ``+ - * / **``, comparisons, ``and``, ``or``, ``not``, ``in``, functions.

    A comparison with an unknown value (None) is false; any other expression with it is unknown too. As numbers, true is
    1 and false is 0.

    :param names: allowed names; the attribute ``names`` has those in the expression.
    :param functions: allowed functions besides :data:`FUNCTIONS`, which come with the values.
    :raises ExpressionError: if the expression contains anything else.
    """

    #: Allowed types of constants.
    _CONSTANTS = int | float | str

    def __init__(self, text: str, names: Iterable[str], functions: Iterable[str] = ()):
        self.text, self.names = text, set()
        self._allowed, self._functions = tuple(names), (*FUNCTIONS, *functions)
        if len(text) > LONGEST:
            raise ExpressionError(f'an expression of {len(text)} characters: the limit is {LONGEST}')
        try:
            self._value = self._compile(ast.parse(text.strip(), mode='eval').body)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            example = 'write something like "xi > 0.25 and mpe < 0.5"'
            raise ExpressionError(f'{text!r} is not an expression: {example} ({error})') from error

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
            found = self._value(values)
        except (ArithmeticError, ValueError) as error:
            raise NoValue(f'{self.text!r} has no value: {error}') from error
        except (TypeError, RecursionError) as error:
            raise ExpressionError(f'{self.text!r} cannot be evaluated: {error}') from error
        if isinstance(found, float) and math.isnan(found):
            raise NoValue(f'{self.text!r} is not a number')
        return found

    def _compile(self, node: ast.AST, within: bool = False) -> Callable[[Mapping], Any]:
        """The function that computes the value of a node from the values of the names.

        :param within: whether it may be a list, as what stands behind ``in``.
        """
        match node:
            case ast.Constant(value=value) if isinstance(value, self._CONSTANTS):
                return lambda values: value
            case ast.Name(id=name):
                self._check(name, '', self._allowed)
                self.names.add(name)
                return lambda values: self._known(name, values.get(name))
            case ast.List(elts=entries) | ast.Tuple(elts=entries) if within:
                return self._of_each(entries, list)
            case ast.List() | ast.Tuple():
                way_out = 'write a decimal point, as in 0.25, and "and" between conditions'
                raise ExpressionError(f'{ast.unparse(node)!r} in {self.text!r} is a list: {way_out}')
            case ast.BoolOp(op=op, values=entries):
                return self._of_each(entries, all if isinstance(op, ast.And) else any)
            case ast.BinOp(op=op, left=left, right=right) if sign := _BINARY.get(type(op).__name__):
                return self._of_each((left, right), lambda sides: sign(*_numbers(node, sides)))
            case ast.UnaryOp(op=op, operand=operand) if sign := _UNARY.get(type(op).__name__):
                return self._of_each([operand], lambda values: sign(*values))
            case ast.Compare(left=left, ops=ops) if all(type(op).__name__ in _COMPARISONS for op in ops):
                signs = [_COMPARISONS[type(op).__name__] for op in ops]
                lists = any(isinstance(op, (ast.In, ast.NotIn)) for op in ops)
                return self._of_each((left, *node.comparators), lambda sides: _compare(signs, sides), lists)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                self._check(name, 'the function ', self._functions)
                arguments = self._of_each(arguments, list)
                return lambda values: (FUNCTIONS.get(name) or values[name])(*arguments(values))
        raise ExpressionError(f'{ast.unparse(node)!r} in {self.text!r} is not allowed in an expression')

    def _of_each(
        self, nodes: Iterable[ast.AST], combine: Callable[[Iterator], Any], lists: bool = False
    ) -> Callable[[Mapping], Any]:
        """A function of the values of several nodes, each of which is computed when ``combine`` asks for it."""
        parts = [self._compile(node, lists) for node in nodes]
        return lambda values: combine(part(values) for part in parts)

    def _check(self, name: str, kind: str, known: tuple[str, ...]) -> None:
        if name not in known:
            close = closest(name, known)
            hint = f'did you mean {close}? ' if close else ''
            raise ExpressionError(f'{kind}{name!r} in {self.text!r} is not known: {hint}choose from {", ".join(known)}')

    def _known(self, name: str, value):
        if value is None:
            raise NoValue(f'{self.text!r} has no value: {name} is not known')
        return value


def _numbers(node: ast.AST, sides: Iterator) -> list[float]:
    """Both sides as floats: these overflow, while 9 ** 9 ** 9 with Python's integers would take for ever."""
    sides = list(sides)
    if any(not isinstance(side, (int, float)) for side in sides):
        raise TypeError(f'{ast.unparse(node)} does not calculate with numbers')
    return [float(side) for side in sides]


def _compare(signs: list[Callable], sides: Iterator) -> bool:
    try:
        return all(sign(left, right) for sign, (left, right) in zip(signs, pairwise(sides)))
    except NoValue:
        return False
