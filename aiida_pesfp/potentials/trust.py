"""Weights are data: they run no code when they are read, unless a user trusts them.

A checkpoint of torch is a pickle, which may name any function of Python to be called when it is read. Torch can refuse
all but those that restore tensors and plain values, and here it does, whatever the package of a potential asks for.
"""

import contextlib
import os
import pickle
import re
from collections.abc import Iterator

from aiida_pesfp.errors import one_line

#: For messages, what a user can do about weights that would run code.
WAY_OUT = 'take other weights, or, if you trust who made them, give --trust-weights'
#: Environment variables of torch, which it reads whenever it loads something.
_FORCE, _FORBID = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'


@contextlib.contextmanager
def without_code(trusted: bool = False) -> Iterator[None]:
    """Within it, torch restores only tensors and plain values; with ``trusted``, what packages ask for."""
    before = {name: os.environ.pop(name, None) for name in (_FORCE, _FORBID)}
    if not trusted:
        os.environ[_FORCE] = '1'
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def reason(error: BaseException) -> str:
    """Why weights could not be loaded: one line, which says so if they would have run code."""
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    for cause in causes:
        if isinstance(cause, pickle.UnpicklingError) and 'weights_only' in str(cause):
            named = re.search(r'GLOBAL (\S+)', str(cause))
            what = f'would call {named[1]}' if named else 'would do more than restore numbers'
            return f'it {what} when it is read: {WAY_OUT}'
    return one_line(error.__cause__ or error)
