"""Where things are on this machine: what ships with the package, the user's cache, and the user's configuration."""

import os
from pathlib import Path
from typing import Any

from harness.errors import DataError, UsageError

CONFIG_KEYS = ("data", "checkpoints")


def shipped(name: str) -> Path:
    """Return a file that ships with the project (`checkpoints.yaml`, `results/paper.yaml`), from a checkout and from a wheel alike."""
    package = Path(__file__).parent
    checkout = package.parent
    return checkout / name if (checkout / "pyproject.toml").is_file() else package / "shipped" / name


def cache() -> Path:
    """Return the folder for what can be made again: `XVLM_EVAL_CACHE`, else the system's cache folder."""
    if chosen := os.environ.get("XVLM_EVAL_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xvlm-eval"


def config_file() -> Path:
    """Return the user's configuration file, which need not exist."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "xvlm-eval" / "config.yaml"


def configured(key: str, *, flag: str | None = None) -> Path | None:
    """Return the folder chosen for `data` or `checkpoints`: by the flag, else by the environment, else by the configuration file."""
    chosen = flag or os.environ.get(f"XVLM_EVAL_{key.upper()}") or _config().get(key)
    return Path(chosen).expanduser() if chosen else None


def _config() -> dict[str, Any]:
    path = config_file()
    if not path.is_file():
        return {}
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path}: cannot be read as YAML ({error})") from error
    if not isinstance(content, dict) or not all(key in CONFIG_KEYS and isinstance(value, str) for key, value in content.items()):
        raise UsageError(f"{path}: should hold `data: FOLDER` and `checkpoints: FOLDER`, nothing else")
    return content
