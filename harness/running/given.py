"""Resolve what a user says of weights that no entry of checkpoints.yaml describes."""

from collections.abc import Mapping

from harness.checkpoints import Given, find_entry
from harness.errors import UsageError, nearest
from harness.registry import find_family


def resolve_given(
    checkpoint: str | None,
    *,
    family: str | None = None,
    name: str | None = None,
    arguments: Mapping[str, str] | None = None,
    download: bool = False,
) -> Given:
    """Return the family, name and settings of weights; by default of the family `xvlm`.

    Raises UsageError for an unknown family, for an argument that the family does not know, for an
    entry of checkpoints.yaml, which states its family and name itself, and for a family or name
    without a checkpoint.
    """
    entry = find_entry(checkpoint) if checkpoint else None
    if entry is not None and (family or name):
        raise UsageError(
            f"--checkpoint {entry.name}: is an entry of checkpoints.yaml, which states its family "
            f"({entry.family}) and its name; leave out --model and --name"
        )
    if not checkpoint and (family or name):
        flag = f"--model {family}" if family else f"--name {name}"
        raise UsageError(f"{flag}: is about weights of your own; name them by --checkpoint FILE")
    family_name = entry.family if entry is not None else family or "xvlm"
    chosen = find_family(family_name)
    for key in arguments or {}:
        if chosen.arguments is not None and key not in chosen.arguments:
            known = ", ".join(chosen.arguments) or "none"
            raise UsageError(
                f"--model-args {key}: {family_name} knows {known}{nearest(key, chosen.arguments)}"
            )
    return Given(family_name, chosen.vocabulary, name, arguments=arguments or {}, download=download)
