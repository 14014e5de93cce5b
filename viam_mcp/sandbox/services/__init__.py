"""What each rpc of AppService does in the sandbox, one module a subject.

A module defines a class whose methods are marked `@rpc("Name")`; `handlers` finds them, so an rpc is added
in its module and nowhere else. `auth` is the other service: it turns API keys into access tokens.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["handlers"]


@cache
def handlers() -> dict[str, Callable[..., Any]]:
    """Return the method that handles each rpc, by the rpc's name.

    Raises:
        ValueError: Two methods are marked with the same rpc.
    """
    found: dict[str, Callable[..., Any]] = {}
    for info in iter_modules(__path__):
        module = import_module(f"{__name__}.{info.name}")
        for kind in vars(module).values():
            if not isinstance(kind, type) or kind.__module__ != module.__name__:
                continue
            for attribute, function in vars(kind).items():
                name = getattr(function, "__rpc__", None)
                if name in found:
                    raise ValueError(f"{name} has two handlers: {found[name].__qualname__}, {function.__qualname__}")
                if name is not None:
                    found[name] = getattr(kind(), attribute)
    return found
