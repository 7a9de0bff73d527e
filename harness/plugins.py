"""Plugins: packages of others that register a task or a model family by an entry point.

A `Plugin` says where its object comes from, imports it, and identifies its code: a continued run
must not mix the predictions of two versions.
"""

import hashlib
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path
from types import FrameType
from typing import Any

from harness.errors import MissingError, first_line
from harness.files.package_sources import files_of_distribution, files_of_module

TASK, MODEL = "task plugin", "model plugin"  # the kinds, as messages and records name them
# Packages that the identity of a run knows otherwise: by a hash of their own, or their version.
OWN = frozenset(["harness", "tasks", "xvlm_eval", "torch", "transformers", "numpy", "PIL"])
GROUPS = {TASK: "xvlm_eval.tasks", MODEL: "xvlm_eval.models"}


@dataclass(frozen=True)
class Plugin:
    """An entry point of another package.

    kind          TASK or MODEL
    name          of the task or family
    target        `module:object`
    distribution  the package that registers it, with its `version`; both None if unknown
    """

    kind: str
    name: str
    target: str
    distribution: str | None
    version: str | None

    def __str__(self) -> str:
        """Return the plugin for messages: `model plugin 'clip' (hfvlm 0.1)`."""
        return f"{self.kind} {self.name!r} ({self.package})"

    @property
    def package(self) -> str:
        """The distribution and its version; without one, the target."""
        return f"{self.distribution} {self.version}" if self.distribution else self.target

    @property
    def module(self) -> str:
        """The module of the object."""
        return self.target.partition(":")[0].strip()

    def load(self) -> Any:
        """Import the object. Raises MissingError, naming the plugin, where that fails."""
        with heeding_interrupts():
            try:
                return EntryPoint(self.name, self.target, GROUPS[self.kind]).load()
            # Whatever a foreign module raises, SystemExit and KeyboardInterrupt too.
            except BaseException as error:
                raise MissingError(
                    f"{self}: {self.target} cannot be imported ({type(error).__name__}: "
                    f"{first_line(error)}); repair or uninstall the package"
                ) from error

    def identity(self) -> dict[str, str | None]:
        """Return what identifies the code: entry point, version and the SHA-256 of its source."""
        return {
            "name": self.name,
            "entry_point": self.target,
            "distribution": self.distribution,
            "version": self.version,
            "sha256": self.source_sha256(),
        }

    def source_sha256(self) -> str:
        """Return the SHA-256 of the source files of the plugin's package."""
        digest = hashlib.sha256()
        for name, path in sorted(self.source_files().items()):
            source = path.read_bytes().replace(b"\r\n", b"\n")
            digest.update(f"{name} {len(source)}\n".encode() + source)
        return digest.hexdigest()

    def source_files(self) -> dict[str, Path]:
        """Return the Python files of the plugin by their names below `sys.path`.

        They are the files of the outermost package that holds the object (or of its module), those
        that its distribution installed, and those of packages that it imports and that are not
        installed in `site-packages`, such as a network that is being edited.
        """
        return {
            **files_of_distribution(self.distribution),
            **files_of_module(self.module, apart=OWN),
        }


def plugins(kind: str) -> list[Plugin]:
    """Return the plugins of a kind, in the order of their packages; imports none."""
    return [
        Plugin(
            kind=kind,
            name=point.name,
            target=point.value,
            distribution=point.dist.name if point.dist else None,
            version=point.dist.version if point.dist else None,
        )
        for point in find_entry_points(GROUPS[kind])
    ]


def find_entry_points(group: str) -> EntryPoints:
    """Return the entry points of a group in all installed packages.

    The packages are read anew only where `sys.path`, or a folder on it, has changed.
    """
    return _installed(group, tuple((path, _modified(Path(path))) for path in sys.path))


@lru_cache(maxsize=len(GROUPS) + 1)  # of tasks, of models, and of files of checkpoints
def _installed(group: str, paths: tuple[tuple[str, int | None], ...]) -> EntryPoints:
    return entry_points(group=group)


def _modified(path: Path) -> int | None:
    """Return when a folder or archive was changed last, in nanoseconds; None if it is absent."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end of a block in which the user pressed Ctrl-C.

    The block may catch the interrupt, or turn it into another error: it is raised all the same. A
    KeyboardInterrupt that no signal caused is an error of the block's code. Signals reach the main
    thread only.
    """
    pressed: list[int] = []
    previous = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        if callable(previous):
            previous(number, frame)

    heeding = callable(previous) and threading.current_thread() is threading.main_thread()
    if heeding:
        signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        if heeding and signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, previous)
        if pressed:
            raise KeyboardInterrupt
