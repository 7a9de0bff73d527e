"""The published facts about the files of a benchmark, stated once, beside its task.

A `Dataset` holds where the files come from, their digests, the official size of each split and the
copy on Hugging Face's hub. `harness.data` compares a data folder with these facts, lists its layout
and fetches what is missing; it names no benchmark. This module imports nothing of the project, so
that tasks, formats and checkpoints can all state such facts.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

FLICKR_TERMS = "images under Flickr's terms of use, research"
CC_BY = "CC BY 4.0"
NOT_STATED = "no licence stated"

Count = int | tuple[int, int]  # an official number, or a range where no more is published
SplitCounts = Mapping[str, Mapping[str, int]]  # split -> name of a count -> number
Row = Mapping[str, Any]  # one row of a dataset on the hub: column -> value


@dataclass(frozen=True)
class Digest:
    """The published hash of a file: sha256, md5, or git-blob (as `git hash-object` prints it).

    `content` is the MD5 of `json.dumps` of the parsed file (of JSON lines, of the list of them),
    which neither indentation nor a last line break changes; "" where it is not known.
    """

    algorithm: str
    value: str
    source: str
    content: str = ""


@dataclass(frozen=True)
class Origin:
    """A published file: a single file, or an archive or folder that holds several.

    `members` maps a path inside the archive (a folder ends in `/`) to its path below the data
    folder; of a single file, its own name. `url` is None where a form or a login guards the file:
    `instructions` says where people get it. `size` is in bytes; `unpacked_limit` is the most that
    an archive may hold unpacked. Both are None where nothing is published.
    """

    name: str
    url: str | None
    instructions: str
    format: Literal["file", "zip", "tar", "folder"]
    licence: str
    members: Mapping[str, str]
    size: int | None = None
    sha256: str | None = None
    unpacked_limit: int | None = None
    mirror: str = ""
    drive: str | None = None

    @property
    def address(self) -> str:
        """The URL; without one, the instructions."""
        return self.url or self.instructions


@dataclass(frozen=True)
class HubPart:
    """The unit in which a copy is converted: splits of the task, and the hub's splits with them."""

    splits: tuple[str, ...]
    hub_splits: tuple[str, ...]


@dataclass(frozen=True)
class HubRows:
    """The rows of one part of a copy; `read` takes a split of the hub and the columns to read."""

    splits: Sequence[str]
    read: Callable[[str, Sequence[str]], Iterator[Row]]


@dataclass(frozen=True)
class HubCopy:
    """A copy of the whole official splits on Hugging Face's hub.

    `revision` is a commit; where no full commit name is known it is a branch, whose commit is
    looked up and noted at first use. `convert` writes the rows as official files below a data
    folder and returns the counts of each split; `format` names the set of columns it reads.
    """

    repository: str
    revision: str
    format: str
    parts: tuple[HubPart, ...]
    licence: str
    convert: Callable[[HubRows, Path], SplitCounts]


@dataclass(frozen=True)
class Dataset:
    """What is published about the files of a benchmark; nothing, unless its task states it.

    `digests` are by file name, wherever the file lies. `counts` gives the official size of each
    split, by the names that `Task.counts` uses: `samples`, `images` and what the task adds.
    `images` and `contents` hold `images_digest` and `contents_digest` of the official splits, where
    they are known: they tell splits of one size apart, whatever file they come from.
    `hub` is None where no copy on the hub is usable, for the reason in `no_hub`. `image_note` goes
    beside the image folders in `xvlm-eval data --layout`.
    """

    citation: str = ""
    origins: tuple[Origin, ...] = ()
    digests: Mapping[str, Digest] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, Count]] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)
    hub: HubCopy | None = None
    no_hub: str = "no copy on the hub is known"
    image_note: str = ""

    def content_deviations(
        self, split: str, entries: Iterable[tuple[Sequence[str], Sequence[str]]]
    ) -> list[str]:
        """Return how the content of a split differs from the published one, one sentence each.

        `entries` are the names of the images and the texts of each sample. Nothing is returned for
        a split of which no digest is known.
        """
        entries = list(entries)
        images = images_digest(name for names, _ in entries for name in names)
        other = next((name for name, digest in self.images.items() if digest == images), None)
        if images != self.images.get(split, images) or other not in (None, split):
            belonging = f"but those of {other}" if other else "but others"
            return [f"its images are not those of the official {split}, {belonging}"]
        contents = self.contents.get(split)
        if contents is not None and contents != contents_digest(entries):
            return [f"its texts are not those of the official {split}"]
        return []

    def origin_of(self, paths: Iterable[str]) -> Origin | None:
        """Return the published file that belongs at one of these paths below the data folder."""
        candidates = set(paths)
        return next(
            (origin for origin in self.origins if candidates & set(origin.members.values())), None
        )


def images_digest(names: Iterable[str]) -> str:
    """Return the SHA-256 of a set of file names: sorted, one a line.

    >>> images_digest(["b.jpg", "a.jpg", "a.jpg"]) == images_digest(["a.jpg", "b.jpg"])
    True
    """
    return sha256("\n".join(sorted(set(names))).encode("utf-8", "surrogatepass")).hexdigest()


def contents_digest(entries: Iterable[tuple[Sequence[str], Sequence[str]]]) -> str:
    """Return the SHA-256 of the samples of a split, in any order.

    An entry holds the names of a sample's images and its texts, whose order and white space do not
    count: files of one split differ in them.

    >>> first = contents_digest([(["a.jpg"], ["one cup ", "cups"]), (["b.jpg"], ["two"])])
    >>> first == contents_digest([(["b.jpg"], ["two"]), (["a.jpg"], ["cups", "one cup"])])
    True
    """
    lines = [
        "\t".join([*names, *sorted(" ".join(text.split()) for text in texts)])
        for names, texts in entries
    ]
    return sha256("\n".join(sorted(lines)).encode("utf-8", "surrogatepass")).hexdigest()
