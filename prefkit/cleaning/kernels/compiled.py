"""How the loops are compiled: once a machine where it can be kept, else once a process."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a loop over numpy arrays; it runs without the GIL.

    numba keeps machine code beside the package, else in the user's cache folder
    (`NUMBA_CACHE_DIR` names another). Where it may write to neither, each process compiles anew.
    """
    try:
        return cast(Function, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # "cannot cache function: no locator available"
        return cast(Function, numba.njit(nogil=True)(function))
