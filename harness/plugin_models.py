"""Load a model by the plugin of its family, and refuse what is not a model before a run begins."""

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from harness.capabilities import Model
from harness.checkpoints import Weights
from harness.errors import CapabilityError, PluginError
from harness.family import Family
from harness.plugins import Plugin

SIGNATURE = "(weights, *, needs, device, dtype)"
# The attributes that every run reads, their types, and the names of these.
ATTRIBUTES: Mapping[str, tuple[type, str]] = {
    "protocol": (str, "string"),
    "device": (str, "string"),
    "provenance": (Mapping, "mapping"),
}


def load_from_plugin(
    plugin: Plugin, family: Family, weights: Weights, *, needs: type, device: str, dtype: str
) -> Model:
    """Return the model that a plugin loads, with the capability `needs`.

    Raises PluginError, naming the plugin, for a loader that takes other arguments and for an object
    that is not a model at all, CapabilityError for a model that lacks the capability; and whatever
    the loader raises.
    """
    loader = family.loader
    _check_signature(plugin, loader, weights)
    model = loader(weights, needs=needs, device=device, dtype=dtype)
    _check_model(plugin, model, needs)
    return model


def members(capability: type) -> list[str]:
    """Return the names of what a capability, a Protocol, asks of a model.

    >>> from harness.capabilities import Captioner
    >>> members(Captioner)
    ['protocol', 'device', 'provenance', 'prepare', 'caption']
    """
    protocols = [kind for kind in capability.__mro__ if getattr(kind, "_is_protocol", False)]
    names = (name for kind in reversed(protocols) for name in {**vars(kind), **_annotated(kind)})
    return list(dict.fromkeys(name for name in names if not name.startswith("_")))


def _annotated(kind: type) -> dict[str, Any]:
    return dict(inspect.get_annotations(kind))


def _check_signature(plugin: Plugin, loader: Callable[..., Any], weights: Weights) -> None:
    try:
        signature = inspect.signature(loader)
    except (TypeError, ValueError):  # of a function that is not written in Python
        return
    try:
        signature.bind(weights, needs=object, device="cpu", dtype="float32")
    except TypeError as error:
        name = getattr(loader, "__name__", "load")
        raise PluginError(
            f"{plugin}: its loader is {name}{signature}, but should be {name}{SIGNATURE} ({error})"
        ) from error


def _check_model(plugin: Plugin, model: Any, needs: type) -> None:
    if lacking := [name for name in members(needs) if not hasattr(model, name)]:
        kind = (
            CapabilityError if all(hasattr(model, name) for name in members(Model)) else PluginError
        )
        raise kind(
            f"{plugin}: loads a {type(model).__name__}, which does not implement {needs.__name__}: "
            f"it lacks {', '.join(lacking)}; harness/capabilities describes each"
        )
    for name, (type_, title) in ATTRIBUTES.items():
        if name in members(needs) and not isinstance(getattr(model, name), type_):
            raise PluginError(
                f"{plugin}: {name} of its model is {getattr(model, name)!r:.80}, but should be a "
                f"{title}"
            )
    if "provenance" in members(needs):
        try:
            json.dumps(dict(model.provenance), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise PluginError(
                f"{plugin}: provenance of its model cannot be stored as JSON ({error})"
            ) from error
