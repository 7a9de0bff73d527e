"""What a model family is: what its models can do, and how its weights are loaded and described.

A family of another package is an object of this class behind an entry point of the group
`xvlm_eval.models`; see `harness.registry`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


class Description(Protocol):
    """What a weight file holds, and whether it can be evaluated."""

    @property
    def fits(self) -> bool:
        """Whether some task can be evaluated with it."""
        ...

    def as_json(self) -> Mapping[str, Any]:
        """Return everything in JSON's types, for machines."""
        ...

    def sentences(self) -> Sequence[str]:
        """Return everything in sentences, for people."""
        ...


@runtime_checkable
class Offering(Protocol):
    """A description that says which capabilities the weights can be loaded with."""

    @property
    def offers(self) -> Sequence[type]:
        """Protocols of `harness.capabilities`."""
        ...


@dataclass(frozen=True)
class Family:
    """A model family.

    title       for people
    offers      the capabilities that its models can have: Protocols of `harness.capabilities`
    load        (weights: Weights, *, needs: type, device: str, dtype: str) -> a model with the
                capability `needs`; or where that function is, as `module:function`, which is
                imported when it is first called. It raises CapabilityError where the weights lack
                the capability, CheckpointError where they cannot be used at all
    describe    (path) -> Description, or `module:function`; None: the family describes nothing
    vocabulary  whether its weights need the vocabulary of BERT, which is then looked for
    arguments   what `--model-args` may hold, by name, each with a sentence that explains it
    """

    title: str
    offers: tuple[type, ...]
    load: Callable[..., Any] | str
    describe: Callable[[Path], Description] | str | None = None
    vocabulary: bool = False
    arguments: Mapping[str, str] | None = None

    @property
    def loader(self) -> Callable[..., Any]:
        """The function that loads weights, imported."""
        return imported(self.load) if isinstance(self.load, str) else self.load

    @property
    def describer(self) -> Callable[[Path], Description] | None:
        """The function that describes a weight file, imported."""
        return imported(self.describe) if isinstance(self.describe, str) else self.describe


def imported(target: str) -> Any:
    """Import what `module:name` names."""
    module, name = target.split(":")
    return getattr(import_module(module), name)
