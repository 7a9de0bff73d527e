"""Paths on this machine: files shipped with the package, the cache, the user's configuration.

`distinct` tells paths of one file or folder from those of several.
"""

import os
from collections.abc import Iterable
from os import PathLike, fspath
from pathlib import Path

import msgspec

from harness.errors import DataError, UsageError
from harness.files.parsing import convert, read_yaml


class Config(msgspec.Struct, forbid_unknown_fields=True):
    """The user's configuration file: folders of benchmark files and of checkpoints."""

    data: str | None = None
    checkpoints: str | None = None


def shipped_path(name: str) -> Path:
    """Return the path of a shipped file (`checkpoints.yaml`, `results`), in a checkout or wheel."""
    package = Path(__file__).parents[1]
    installed = package / "shipped"  # exists in a wheel only
    return (installed if installed.is_dir() else package.parent) / name


def expanded(path: str | PathLike[str]) -> Path:
    """Return a path of a user's, with the home folder that `~` or `~name` at its beginning means.

    Raises UsageError where this machine knows no such folder.
    """
    text = fspath(path)
    try:
        return Path(text).expanduser() if text.startswith("~") else Path(text)
    except RuntimeError as error:
        first = Path(text).parts[0]
        whose = f"the user {first[1:]!r} has" if first[1:] else "you have"
        raise UsageError(
            f"{text}: this machine does not know what home folder {whose}; write the path out, or "
            f"as ./{text} if a file begins with ~"
        ) from error


def cache_folder() -> Path:
    """Return the folder for reproducible files: `XVLM_EVAL_CACHE`, else in the user's cache."""
    if folder := os.environ.get("XVLM_EVAL_CACHE"):
        return expanded(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or _home() / ".cache") / "xvlm-eval"


def hub_cache_folder() -> Path:
    """Return the download folder of Hugging Face's tools: `HF_HUB_CACHE`, else below `HF_HOME`."""
    if folder := os.environ.get("HF_HUB_CACHE"):
        return expanded(folder)
    home = os.environ.get("HF_HOME") or _home() / ".cache" / "huggingface"
    return expanded(home) / "hub"


def hub_is_offline() -> bool:
    """Return whether `HF_HUB_OFFLINE` forbids network access, as `huggingface_hub` reads it."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def config_file() -> Path:
    """Return the path of the user's configuration file, which need not exist."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or _home() / ".config")
    return home / "xvlm-eval" / "config.yaml"


def resolve_folder(key: str) -> Path | None:
    """Return the folder configured for `data` or `checkpoints`. Raises as `resolve_setting`."""
    setting = resolve_setting(key)
    return expanded(setting) if setting else None


def resolve_setting(key: str, *, flag: str | None = None) -> str | None:
    """Return the value of `data` or `checkpoints`: flag, else environment, else configuration file.

    Raises UsageError for an empty flag and for a configuration file with other content, DataError
    for one that cannot be read.
    """
    if flag == "":
        raise UsageError(f"--{key} '': names no folder; leave the flag out, or name one")
    setting = flag or os.environ.get(f"XVLM_EVAL_{key.upper()}") or getattr(_config(), key)
    return str(setting) if setting else None


def distinct(paths: Iterable[Path]) -> list[Path]:
    """Return paths in the order and the words in which they were first named, each once."""
    first: dict[Path, Path] = {}
    for path in paths:
        first.setdefault(path.resolve(), path)
    return list(first.values())


def _config() -> Config:
    path = config_file()
    content = read_yaml(path) if path.exists() or path.is_symlink() else None
    try:
        return convert({} if content is None else content, Config, where=str(path))
    except DataError as error:
        raise UsageError(
            f"{error}; the file may hold `data: FOLDER` and `checkpoints: FOLDER`, nothing else"
        ) from error


def _home() -> Path:
    """Return the user's home, or the current folder if there is none.

    A container that runs as a user id without a name has no home.
    """
    try:
        return Path.home()
    except RuntimeError:
        return Path.cwd()
