"""Unpickle a file of `torch.save` without calling anything that it names but torch's own tensors.

Checkpoints carry more than tensors: configurations (ruamel's CommentedMap, argparse.Namespace),
optimizers, NumPy arrays, random states, paths. None of it is needed, so none of it is imported or
called: every class or function that a file names becomes a `Global`, every object made with one an
`Inert`, except the few `BUILDERS` of tensors and plain containers. What is needed but would have to
be run stays an `Inert`, and whoever needs it refuses it.

The module is passed to `torch.load` as its `pickle_module`, which uses `Unpickler` and `load`.
"""

import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, ClassVar

import torch
from torch import Tensor
from torch._utils import _rebuild_tensor, _rebuild_tensor_v2

# Modules and builtins that a checkpoint names only to run something when it is opened. Nothing
# would run; but a file that tries deserves no trust.
HOSTILE_MODULES = frozenset(
    [
        "os",
        "posix",
        "nt",
        "subprocess",
        "sys",
        "shutil",
        "socket",
        "runpy",
        "importlib",
        "pty",
        "ctypes",
        "code",
        "codeop",
        "pdb",
        "bdb",
        "timeit",
        "commands",
        "webbrowser",
        "multiprocessing",
        "asyncio",
    ]
)
HOSTILE_BUILTINS = frozenset(
    ["eval", "exec", "execfile", "compile", "__import__", "open", "input", "breakpoint", "globals"]
)
BUILTINS = ("builtins", "__builtin__", "io", "_io")  # in Python 3 and in Python 2
KEYS = (str, bytes, int, float)  # of dictionaries that are built


@dataclass(frozen=True)
class Global:
    """The name of a class or function in a pickle, neither imported nor called."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"

    @property
    def __name__(self) -> str:
        """The name by which torch warns of a network whose source is stored beside it."""
        return self.name


class Inert:
    """An object in a pickle whose class is not loaded; it takes items and state, and drops them."""

    def __init__(self, kind: Global) -> None:
        self.kind = kind

    def __setitem__(self, key: object, value: object) -> None: ...

    def append(self, item: object) -> None:
        """Drop an item of a list or a queue."""

    def extend(self, items: object) -> None:
        """Drop items of a list or a queue."""

    def add(self, item: object) -> None:
        """Drop an item of a set."""


def _parameter(data: Tensor, *_: object) -> Tensor:
    """Return the tensor of a parameter, without its gradient, hooks and attributes."""
    return data


def _subclassed(function: object, kind: object, arguments: Any, state: object) -> Any:
    """Return a tensor of a subclass, or with attributes, as a plain tensor."""
    return _call(function, arguments)


def _ordered(*arguments: Any) -> OrderedDict[Any, Any]:
    """Return an OrderedDict; its items are arguments in files of Python 2."""
    items = OrderedDict[Any, Any]()
    for key, value in arguments[0] if arguments else ():
        _put(items, key, value)
    return items


def _put(container: Any, key: object, value: object) -> None:
    """Put an item into a dictionary. A key of another kind than names and numbers is dropped.

    Hashing or printing a tuple of a million tuples would end the process.
    """
    if isinstance(key, KEYS):
        container[key] = value


# What is built: tensors, and the containers in which a state dictionary may lie.
BUILDERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("torch._tensor", "_rebuild_from_type"): _subclassed,
    ("torch._tensor", "_rebuild_from_type_v2"): _subclassed,
    ("collections", "OrderedDict"): _ordered,
    ("collections", "defaultdict"): lambda *_: {},
}


def _call(function: object, arguments: Any) -> Any:
    if not isinstance(function, Global):
        raise pickle.UnpicklingError(f"calls an object of the kind {type(function).__name__}")
    build = BUILDERS.get((function.module, function.name))
    return Inert(function) if build is None else build(*arguments)


class Unpickler(pickle._Unpickler):
    """An unpickler that calls nothing but the BUILDERS, whatever the opcode.

    The one in Python rather than C, whose opcodes can be replaced; the tensors' numbers are not
    part of the pickle, so that it takes no longer.
    """

    stack: list[Any]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def find_class(self, module_name: str, global_name: str) -> Any:
        """Return a Global. Raises UnpicklingError for a name that serves only to run something."""
        if module_name.partition(".")[0] in HOSTILE_MODULES or (
            module_name in BUILTINS and global_name in HOSTILE_BUILTINS
        ):
            raise pickle.UnpicklingError(f"calls {module_name}.{global_name}")
        if global_name == "UntypedStorage":  # torch compares it by identity
            return torch.UntypedStorage
        return Global(module_name, global_name)

    def _reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = _call(self.stack[-1], arguments)

    def _new_object(self) -> None:
        arguments = self.stack.pop()
        self.append(_call(self.stack.pop(), arguments))

    def _new_object_with_keywords(self) -> None:
        keywords, arguments, kind = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.append(_call(kind, arguments) if not keywords else Inert(kind))

    def _instantiate(self, kind: object, arguments: Any) -> None:
        self.append(_call(kind, arguments))

    def _fill(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _put(self.stack[-1], key, value)

    def _fill_all(self) -> None:
        items = self.pop_mark()
        for key, value in zip(items[::2], items[1::2], strict=True):
            _put(self.stack[-1], key, value)

    def _dictionary(self) -> None:
        items = self.pop_mark()
        self.append({})
        for key, value in zip(items[::2], items[1::2], strict=True):
            _put(self.stack[-1], key, value)

    def _drop_items(self) -> None:
        self.pop_mark()  # of a set, which no tensor is in

    def _frozen_set(self) -> None:
        self.pop_mark()
        self.append(frozenset())

    def _build(self) -> None:
        self.stack.pop()  # the state of an object that is not needed, or of a plain container

    dispatch[pickle.REDUCE[0]] = _reduce
    dispatch[pickle.NEWOBJ[0]] = _new_object
    dispatch[pickle.NEWOBJ_EX[0]] = _new_object_with_keywords
    dispatch[pickle.SETITEM[0]] = _fill
    dispatch[pickle.SETITEMS[0]] = _fill_all
    dispatch[pickle.DICT[0]] = _dictionary
    dispatch[pickle.ADDITEMS[0]] = _drop_items
    dispatch[pickle.FROZENSET[0]] = _frozen_set
    dispatch[pickle.BUILD[0]] = _build


def load(file: IO[bytes], **options: Any) -> Any:
    """Unpickle a file by `Unpickler`."""
    return Unpickler(file, **options).load()
