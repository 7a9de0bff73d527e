"""What else determined a number: versions of the packages that compute, and the commit of this code."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

COMPUTING = ("torch", "transformers", "numpy", "pillow")  # a change of their version can move a prediction


def software() -> dict[str, Any]:
    """Return the versions of this project, of Python and of the packages that compute, and the commit where this is a checkout."""
    return {
        "xvlm-eval": _version("xvlm-eval"),
        "commit": commit(),
        "python": platform.python_version(),
        **computing(),
    }


def computing() -> dict[str, str | None]:
    """Return the versions of the packages that compute predictions."""
    return {name: _version(name) for name in COMPUTING}


def commit() -> str | None:
    """Return the commit of this code, with `+` where tracked files differ from it; None outside of a checkout."""
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():
        return None
    try:
        git = ["git", "-C", str(root)]
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+" if changed.strip() else "")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
