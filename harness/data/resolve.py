"""Resolve `--data` once, into a value that says where the benchmark files come from.

`resolve_data` reads the flag, the environment and the configuration file; `open` of the value that
it returns gives the data folder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.callbacks import Progress
from harness.checkpoints import PAPER, SHAPES
from harness.data.hub.copies import is_hub
from harness.data.own import OwnFiles
from harness.files.paths import expanded, resolve_setting
from harness.formats.folder import DataFolder, open_folder
from harness.shapes.benchmark import embedded_data

Splits = Mapping[str, Sequence[str]]  # task -> the splits of it that a command needs


@dataclass(frozen=True)
class Embedded:
    """The embedded benchmark, where no data is named."""

    default_checkpoint = SHAPES
    folder = None

    def __str__(self) -> str:
        return "the embedded benchmark"

    def open(self, splits: Splits, *, progress: Progress) -> DataFolder:
        """Return its folder, drawn on first use."""
        return embedded_data()


@dataclass(frozen=True)
class Folder:
    """A folder of the user's own."""

    folder: Path
    default_checkpoint = PAPER

    def __str__(self) -> str:
        return str(self.folder)

    def open(self, splits: Splits, *, progress: Progress) -> DataFolder:
        """Return the folder. Raises MissingError where it does not exist."""
        return open_folder(self.folder)


@dataclass(frozen=True)
class Hub:
    """Copies on Hugging Face's hub, by `name`: `hf`, `hf:REPOSITORY@REVISION` or `hf:FOLDER`."""

    name: str
    default_checkpoint = PAPER
    folder = None

    def __str__(self) -> str:
        return self.name

    def open(self, splits: Splits, *, progress: Progress) -> DataFolder:
        """Return the folder of the cache that holds `splits`, written on first use.

        Raises what `harness.data.hub.materialise.hub_data` raises.
        """
        # Imported here: other commands need no hub.
        from harness.data.hub.materialise import hub_data

        return hub_data(self.name, splits, progress=progress)


Benchmarks = Embedded | Folder | Hub
DataSource = Benchmarks | OwnFiles


def resolve_data(flag: str | None) -> Benchmarks:
    """Return the data that `--data` names, else XVLM_EVAL_DATA, else the configuration file.

    Raises UsageError for an empty flag, DataError for a configuration file that cannot be read.
    """
    name = resolve_setting("data", flag=flag)
    if name is None:
        return Embedded()
    return Hub(name) if is_hub(name) else Folder(expanded(name))
