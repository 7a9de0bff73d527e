"""Which data a command is about."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.callbacks import Progress
from harness.data.hub.copies import is_hub
from harness.files.paths import resolve_setting
from harness.formats.folder import DataFolder, open_folder
from harness.shapes.benchmark import embedded_data


def resolve_data(
    flag: str | None, wanted: Mapping[str, Sequence[str]], *, progress: Progress
) -> DataFolder:
    """Return the user's data folder, by `--data`, the environment or the configuration; the embedded benchmark where none is named.

    Of the hub (`hf`, `hf:...`) the `wanted` splits by task are written into the cache first. Raises MissingError where there is no such
    folder, and what `hub_data` raises.
    """
    words = resolve_setting("data", flag=flag)
    if words is None:
        return embedded_data()
    if is_hub(words):
        from harness.data.hub.materialise import hub_data

        return hub_data(words, wanted, progress=progress)
    return open_folder(Path(words).expanduser())
