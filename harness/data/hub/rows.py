"""Read the rows of a dataset on the hub, or of a local copy, through the package `datasets`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.dataset import Row
from harness.errors import DataError, HarnessError, MissingError
from harness.files.paths import hub_is_offline

IMAGE = "image"


@dataclass(frozen=True)
class Source:
    """A repository at one revision, or a local folder of parquet files (`revision` None)."""

    repository: str
    revision: str | None

    @property
    def local(self) -> bool:
        """Whether the source is a folder on this machine."""
        return self.revision is None


def commit_of(source: Source) -> str | None:
    """Ask the hub for the commit of a revision; None for a folder.

    Raises MissingError if HF_HUB_OFFLINE is set, HarnessError if the hub cannot be reached.
    """
    if source.local:
        return None
    if hub_is_offline():
        raise MissingError(
            f"{source.repository}: is not in the cache yet, and HF_HUB_OFFLINE is set; "
            "run once with the network, or name a folder with --data DIR"
        )
    from huggingface_hub import HfApi

    try:
        return str(HfApi().dataset_info(source.repository, revision=source.revision).sha)
    except Exception as error:  # whatever the hub's client and the network raise
        raise _unreachable(source, error) from error


def read_rows(source: Source, split: str, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a split; an image is the bytes of its file.

    Raises DataError if the copy lacks one of the columns or cannot be read.
    """
    try:
        from datasets import Image, load_dataset
    except ImportError as error:
        raise MissingError(
            "data from the hub needs the package `datasets`: pip install 'datasets>=5,<6'"
        ) from error
    try:
        dataset = load_dataset(
            source.repository, split=split, revision=source.revision, streaming=True
        )
        names = list(dataset.column_names or ())
        if IMAGE in names and IMAGE in columns:
            dataset = dataset.cast_column(IMAGE, Image(decode=False))
    except Exception as error:
        raise _unreachable(source, error) from error
    if missing := [column for column in columns if column not in names]:
        raise DataError(
            f"{source.repository}, split {split}: has no column {', '.join(missing)}; "
            f"it has {', '.join(names) or 'none'}"
        )
    try:
        for row in dataset.select_columns(list(columns)):
            yield {**row, IMAGE: _bytes(source, row[IMAGE])} if IMAGE in row else row
    except HarnessError:
        raise
    except Exception as error:
        raise _unreachable(source, error) from error


def _bytes(source: Source, image: Any) -> bytes:
    values = image if isinstance(image, dict) else {}
    content, path = values.get("bytes"), values.get("path")
    if isinstance(content, bytes) and content:
        return content
    if path and source.local and Path(path).is_file():
        return Path(path).read_bytes()
    raise DataError(f"{source.repository}: has a row without the bytes of its image")


def _unreachable(source: Source, error: Exception) -> HarnessError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    if source.local:
        return DataError(f"{source.repository}: cannot be read as a copy of a dataset ({reason})")
    return HarnessError(
        f"{source.repository}: cannot be read from the hub ({reason}); "
        "try again, or name a folder with --data DIR"
    )
