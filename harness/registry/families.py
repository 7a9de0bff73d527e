"""Find model families by name, and load or describe weights by them."""

from collections.abc import Sequence
from pathlib import Path

from harness.capabilities import Model
from harness.checkpoints import Weights, normalise_name
from harness.errors import CapabilityError, MissingError, UsageError, nearest
from harness.family import Description, Family
from harness.models.families import FAMILIES
from harness.plugin_models import load_from_plugin
from harness.plugins import MODEL, Plugin, plugins
from harness.registry.lookup import find_plugin


def family_names() -> list[str]:
    """Return the names of all model families, those of this project first."""
    return [*FAMILIES, *(plugin.name for plugin in plugins(MODEL))]


def loadable_families() -> tuple[dict[str, Family], list[str]]:
    """Return all model families that can be used, and a sentence about each broken plugin."""
    families, broken = dict(FAMILIES), []
    for plugin in plugins(MODEL):
        try:
            if model_plugin(plugin.name) == plugin:
                families[plugin.name] = _family_of(plugin)
            else:
                broken.append(f"{plugin}: another family has this name; uninstall one of the two")
        except MissingError as error:
            broken.append(str(error))
    return families, broken


def find_family(name: str) -> Family:
    """Return the model family of a name, in which `_`, `-` and case do not matter.

    A plain function behind an entry point becomes a family that only loads.
    Raises UsageError that offers the nearest names, MissingError for a plugin that is broken.
    """
    wanted = normalise_name(name)
    for own_name, family in FAMILIES.items():
        if normalise_name(own_name) == wanted:
            return family
    if plugin := model_plugin(name):
        return _family_of(plugin)
    raise UsageError(
        f"no package registers the model family {name!r}{nearest(name, family_names())}"
    )


def model_plugin(name: str) -> Plugin | None:
    """Return the plugin that registers a model family; None for a family of this project."""
    return find_plugin(MODEL, name, own=FAMILIES)


def load_model(weights: Weights, *, needs: Sequence[type], device: str, dtype: str) -> Model:
    """Load weights as a model with the first of the capabilities `needs` that they have.

    Raises UsageError for an unknown family, CapabilityError where the weights have none of them,
    CheckpointError for weights that cannot be used, PluginError for a plugin that loads anything
    but such a model.
    """
    family, plugin = find_family(weights.family), model_plugin(weights.family)
    if family.offers and not set(needs) & set(family.offers):
        offered = ", ".join(capability.__name__ for capability in family.offers)
        wanted = " or ".join(capability.__name__ for capability in needs)
        raise CapabilityError(f"{weights.name}: {family.title} offers {offered}, but no {wanted}")
    reasons: list[str] = []
    for capability in needs:
        if family.offers and capability not in family.offers:
            continue
        try:
            if plugin is None:
                return family.loader(weights, needs=capability, device=device, dtype=dtype)
            return load_from_plugin(
                plugin, family, weights, needs=capability, device=device, dtype=dtype
            )
        except CapabilityError as error:
            reasons.append(str(error))
    raise CapabilityError("; ".join(reasons))


def describe(path: Path, *, family: str = "xvlm") -> Description:
    """Describe a weight file.

    Raises CheckpointError for a file that is not a checkpoint of the family at all, UsageError for
    a family that describes none.
    """
    describer = find_family(family).describer
    if describer is None:
        raise UsageError(
            f"the model family {family!r} does not describe weights; `xvlm-eval run --model "
            f"{family} --checkpoint {path} --limit 1` shows whether they can be evaluated"
        )
    return describer(path)


def _family_of(plugin: Plugin) -> Family:
    loaded = plugin.load()
    if not isinstance(loaded, Family) and not callable(loaded):
        raise MissingError(
            f"{plugin}: {plugin.target} is neither a harness.family.Family nor a function that "
            "loads weights"
        )
    return loaded if isinstance(loaded, Family) else Family(plugin.name, (), loaded)
