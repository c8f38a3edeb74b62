"""Expressions over descriptors, such as ``log10(fv_connected) - 2 * mpe``: evaluated safely, never by ``eval``."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable

import numpy as np

from aiida_pesfp.errors import ExpressionError

#: Scalars of a structure that an expression can name.
VARIABLES = ('xi', 'mpe', 'fv_connected', 'fv_disconnected', 'barrier_1d', 'barrier_2d', 'barrier_3d')
LONGEST = 1000


def _log10(x: float) -> float:
    return -math.inf if x == 0 else math.log10(x)


def _log(x: float) -> float:
    return -math.inf if x == 0 else math.log(x)


def _sigmoid(x: float) -> float:
    return 0.5 * (1 + math.tanh(0.5 * x))


FUNCTIONS: dict[str, Callable] = {
    'log10': _log10,
    'log': _log,
    'exp': math.exp,
    'sqrt': math.sqrt,
    'sigmoid': _sigmoid,
    'abs': abs,
    'min': min,
    'max': max,
}
#: Free volumes of the spectrum at any of its thresholds: ``connected(0.3)``.
SPECTRA = ('connected', 'disconnected')
_BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_UNARY = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_}
_COMPARISONS = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


class Expression:
    """A formula over the descriptors of a structure.

    It can hold numbers, ``+ - * / **``, comparisons with ``and``, ``or`` and ``not``, which count as 1 or 0, the
    variables :data:`VARIABLES`, the functions :data:`FUNCTIONS`, and ``connected(t)`` and ``disconnected(t)`` for the
    free volume at a threshold t (eV) of the spectrum.

    :raises ExpressionError: for anything else, saying what.
    """

    def __init__(self, text: str):
        self.text = text
        if len(text) > LONGEST:
            raise ExpressionError(f'an expression of {len(text)} characters: the limit is {LONGEST}')
        try:
            self._tree = ast.parse(text.strip(), mode='eval').body
            self._check(self._tree)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ExpressionError(f'{text!r} is not an expression: {error}') from error

    def __call__(self, descriptors: dict) -> float:
        """Its value for one structure.

        :param descriptors: as of :meth:`aiida_pesfp.fingerprint.descriptors.Descriptors.as_dict`.
        :raises ExpressionError: if it has none, saying why.
        """
        try:
            value = float(self._value(self._tree, descriptors))
        except (ArithmeticError, ValueError, TypeError, RecursionError) as error:
            raise ExpressionError(f'{self.text!r} has no value: {error}') from error
        if math.isnan(value):
            raise ExpressionError(f'{self.text!r} is not a number')
        return value

    def _check(self, node: ast.AST) -> None:
        match node:
            case ast.Constant(value=int() | float()):
                children = []
            case ast.Name(id=name):
                if name not in VARIABLES:
                    raise ExpressionError(f'{self.text!r}: unknown variable {name!r}, known are {", ".join(VARIABLES)}')
                children = []
            case ast.BinOp(op=op) if type(op) in _BINARY:
                children = [node.left, node.right]
            case ast.UnaryOp(op=op) if type(op) in _UNARY:
                children = [node.operand]
            case ast.BoolOp():
                children = node.values
            case ast.Compare(ops=ops) if all(type(op) in _COMPARISONS for op in ops):
                children = [node.left, *node.comparators]
            case ast.Call(func=ast.Name(id=name), keywords=[]):
                if name not in FUNCTIONS and name not in SPECTRA:
                    known = ', '.join((*FUNCTIONS, *SPECTRA))
                    raise ExpressionError(f'{self.text!r}: unknown function {name!r}, known are {known}')
                children = node.args
            case _:
                raise ExpressionError(f'{self.text!r}: {ast.unparse(node)!r} is not allowed in an expression')
        for child in children:
            self._check(child)

    def _value(self, node: ast.AST, descriptors: dict) -> float:
        def of(child: ast.AST) -> float:
            return self._value(child, descriptors)

        match node:
            case ast.Constant(value=value):
                return float(value)
            case ast.Name(id=name):
                return _scalar(descriptors, name)
            case ast.BinOp(left=left, op=op, right=right):
                return _BINARY[type(op)](of(left), of(right))
            case ast.UnaryOp(op=op, operand=operand):
                return _UNARY[type(op)](of(operand))
            case ast.BoolOp(op=op, values=values):
                return (all if isinstance(op, ast.And) else any)(of(value) for value in values)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                values = [of(left), *map(of, comparators)]
                return all(_COMPARISONS[type(op)](a, b) for op, a, b in zip(ops, values, values[1:]))
            case ast.Call(func=ast.Name(id=name), args=args):
                values = [of(argument) for argument in args]
                return free_volume(descriptors, name, *values) if name in SPECTRA else FUNCTIONS[name](*values)


def free_volume(descriptors: dict, kind: str, threshold: float) -> float:
    """Free volume at a threshold of the spectrum.

    :param kind: ``connected`` or ``disconnected``.
    :param threshold: eV.
    :raises ExpressionError: if the spectrum has no such threshold, naming those it has.
    """
    thresholds = descriptors['spectrum']['thresholds']
    at = np.flatnonzero(np.isclose(thresholds, threshold, atol=1e-6))
    if not len(at):
        known = ', '.join(f'{value:g}' for value in thresholds)
        raise ExpressionError(f'no free volume at {threshold:g} eV: the spectrum has {known}')
    return descriptors['spectrum'][kind][at[0]]


def _scalar(descriptors: dict, name: str) -> float:
    value = descriptors.get(name)
    if value is None:
        raise ExpressionError(f'the descriptors have no {name!r}: describe the surface again')
    return value
