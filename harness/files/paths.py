"""Where things are on this machine: what ships with the package, the user's cache, and the user's configuration."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.files.parsing import read_yaml

CONFIG_KEYS = ("data", "checkpoints")


def shipped_path(name: str) -> Path:
    """Return a file that ships with the project (`checkpoints.yaml`, `results/paper.yaml`), from a checkout and from a wheel alike."""
    package = Path(__file__).parents[1]
    installed = package / "shipped"  # made when a wheel is built; a checkout has none
    return (installed if installed.is_dir() else package.parent) / name


def cache_folder() -> Path:
    """Return the folder for what can be made again: `XVLM_EVAL_CACHE`, else the system's cache folder."""
    if chosen := os.environ.get("XVLM_EVAL_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or _home() / ".cache") / "xvlm-eval"


def hub_cache_folder() -> Path:
    """Return the folder in which Hugging Face's tools keep what they downloaded: `HF_HUB_CACHE`, else below `HF_HOME`."""
    if chosen := os.environ.get("HF_HUB_CACHE"):
        return Path(chosen).expanduser()
    return (
        Path(os.environ.get("HF_HOME") or _home() / ".cache" / "huggingface").expanduser() / "hub"
    )


def hub_is_offline() -> bool:
    """Return whether the user wants no network for Hugging Face's hub (`HF_HUB_OFFLINE`, read as its own tools read it)."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def config_file() -> Path:
    """Return the user's configuration file, which need not exist."""
    return (
        Path(os.environ.get("XDG_CONFIG_HOME") or _home() / ".config") / "xvlm-eval" / "config.yaml"
    )


def resolve_folder(key: str, *, flag: str | None = None) -> Path | None:
    """Return the folder chosen for `data` or `checkpoints`, as `setting` does."""
    chosen = resolve_setting(key, flag=flag)
    return Path(chosen).expanduser() if chosen else None


def resolve_setting(key: str, *, flag: str | None = None) -> str | None:
    """Return what was chosen for `data` or `checkpoints`: by the flag, else by the environment, else by the configuration file.

    Raises UsageError for a flag without a folder, DataError for a configuration file that cannot be read.
    """
    if flag == "":
        raise UsageError(f"--{key} '': names no folder; leave the flag out, or name one")
    chosen = flag or os.environ.get(f"XVLM_EVAL_{key.upper()}") or _config().get(key)
    return str(chosen) if chosen else None


def _config() -> Mapping[str, Any]:
    path = config_file()
    if not path.is_file():
        return {}
    content = read_yaml(path) or {}
    if not isinstance(content, dict) or not all(
        key in CONFIG_KEYS and isinstance(value, str) for key, value in content.items()
    ):
        raise UsageError(
            f"{path}: should hold `data: FOLDER` and `checkpoints: FOLDER`, nothing else"
        )
    return content


def _home() -> Path:
    """Return the user's home, or the current folder where there is none (a container run under a number instead of a name)."""
    try:
        return Path.home()
    except RuntimeError:
        return Path.cwd()
