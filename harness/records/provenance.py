"""The software and the processor that a number was computed with."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

VECTOR_SETS = ("avx512f", "avx2")  # instruction sets of matrix products, widest first
COMPUTING = ("torch", "transformers", "numpy", "pillow")  # their version can move a prediction


def software() -> dict[str, Any]:
    """Return the versions of this project, of Python and of COMPUTING, and the commit if known."""
    return {
        "xvlm-eval": release(),
        "commit": commit(),
        "python": platform.python_version(),
        **computing(),
    }


def processor() -> str:
    """Return the processor's model and widest vector set, which determine a float's last digits."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not on Linux
        return platform.processor() or platform.machine()
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    properties = {name.strip(): value.strip() for name, value in pairs}
    flags = properties.get("flags", "").split()
    widest = next((name for name in VECTOR_SETS if name in flags), platform.machine())
    return f"{properties.get('model name', platform.machine())} ({widest})"


def release() -> str | None:
    """Return the version of this project, None if it is used without being installed."""
    return _version("xvlm-eval")


def computing() -> dict[str, str | None]:
    """Return the versions of the packages that compute predictions."""
    return {name: _version(name) for name in COMPUTING}


def commit() -> str | None:
    """Return the commit of this code, with `+` if tracked files differ; None without a checkout."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        head = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+" if changed else "")


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10
    ).stdout.strip()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
