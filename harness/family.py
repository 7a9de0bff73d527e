"""What a model family is: what its models can do, and how its weights are loaded and described.

A family of another package is an object of this class behind an entry point of the group
`xvlm_eval.models`; see `harness.registry`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from harness.capabilities import Model
from harness.checkpoints import Weights


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


class Loader(Protocol):
    """Loads weights as a model."""

    def __call__(self, weights: Weights, /, *, needs: type, device: str, dtype: str) -> Model:
        """Return a model with the capability `needs`.

        Raises CapabilityError where the weights lack the capability, CheckpointError where they
        cannot be used at all.
        """
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
    load        the Loader, a function; or where that function is, as `module:function`, which is
                imported when it is first called
    describe    (path) -> Description, or `module:function`; None: the family describes nothing
    vocabulary  whether its weights need the vocabulary of BERT, which is then looked for
    folder      whether its weights are a folder: then a file stands for all files beside it, whose
                hash is in the record
    arguments   what `--model-args` may hold, by name, each with a sentence that explains it
    """

    title: str
    offers: tuple[type, ...]
    load: Loader | str
    describe: Callable[[Path], Description] | str | None = None
    vocabulary: bool = False
    folder: bool = False
    arguments: Mapping[str, str] | None = None

    @property
    def loader(self) -> Loader:
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
