"""The user's own objects as models: what they lack, and how a record identifies them.

Such an object needs no registration. A record names it by its class, and identifies it by the
source of that class: the whole file, or the cells of a notebook that define its methods. The
weights that an object holds are not seen. An object that holds any should state their hash in
`provenance`, which a record keeps and compares.
"""

import hashlib
import inspect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from harness.api.arguments import check_name
from harness.checkpoints import Weights
from harness.errors import CapabilityError, one_of
from harness.plugin_models import members

FAMILY = "own"  # of weights that are an object of the user's


def require_capability(model: Any, needs: Sequence[type], *, task: str) -> None:
    """Raise CapabilityError, naming the absent members, unless an object can do what a task needs.

    It must have every member of one of the Protocols `needs`.
    """
    if any(isinstance(model, kind) for kind in needs):
        return
    lacking = {kind.__name__: [m for m in members(kind) if not hasattr(model, m)] for kind in needs}
    nearest = min(lacking, key=lambda name: len(lacking[name]))
    others = f" (or {one_of(sorted(set(lacking) - {nearest}))})" if len(lacking) > 1 else ""
    raise CapabilityError(
        f"{task} needs {one_of([nearest])}{others}: {type(model).__name__} lacks "
        f"{', '.join(lacking[nearest])}; harness.capabilities.{nearest} describes them"
    )


def own_weights(model: Any, name: str | None) -> Weights:
    """Return what stands for weights in a record: the name, and the file, of an object's class.

    Raises UsageError for a name that results cannot be stored under.
    """
    kind = type(model)
    stored_name = name or kind.__name__
    check_name("name", stored_name)
    path = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return Weights(stored_name, FAMILY, Path(path) if path else Path(kind.__module__))


def source_sha256(kind: type) -> str:
    """Return the SHA-256 of the source that defines a class.

    That is its module's file; without one, the source of its methods; without that, their code.
    """
    digest = hashlib.sha256(f"{kind.__module__}.{kind.__qualname__}\n".encode())
    path = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if path and Path(path).is_file():
        digest.update(Path(path).read_bytes())
        return digest.hexdigest()
    for base in kind.__mro__[:-1]:
        for name, value in sorted(vars(base).items()):
            for function in _functions(value):
                digest.update(f"{base.__qualname__}.{name}\n".encode())
                try:
                    digest.update(inspect.getsource(function).encode())
                except (OSError, TypeError):
                    digest.update(_content(function.__code__).encode())
    return digest.hexdigest()


def _functions(value: Any) -> Iterator[FunctionType]:
    """Yield the functions behind a member of a class."""
    if isinstance(value, property):
        value = value.fget
    value = inspect.unwrap(getattr(value, "__func__", value)) if callable(value) else value
    if isinstance(value, FunctionType):
        yield value


def _content(code: CodeType) -> str:
    """Return what a function computes, without the place where it stands."""
    constants = [_content(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return repr((code.co_code, code.co_names, code.co_varnames, constants))
