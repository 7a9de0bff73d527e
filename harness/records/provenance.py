"""What else determined a number: versions of the packages that compute, and the commit of this code."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

VECTORS = ("avx512f", "avx2")  # instruction sets that matrix products are written for, widest first
COMPUTING = (
    "torch",
    "transformers",
    "numpy",
    "pillow",
)  # a change of their version can move a prediction


def software() -> dict[str, Any]:
    """Return the versions of this project, of Python and of the packages that compute, and the commit where this is a checkout."""
    return {
        "xvlm-eval": release(),
        "commit": commit(),
        "python": platform.python_version(),
        **computing(),
    }


def processor() -> str:
    """Return the model of the processor and its widest vector instructions: others may move the last digits of a predicted number."""
    try:
        lines = dict(
            line.split(":", 1)
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if ":" in line
        )
    except OSError:  # not on Linux
        return platform.processor() or platform.machine()
    said = {name.strip(): value.strip() for name, value in lines.items()}
    flags = said.get("flags", "").split()
    widest = next((name for name in VECTORS if name in flags), platform.machine())
    return f"{said.get('model name', platform.machine())} ({widest})"


def release() -> str | None:
    """Return the version of this project as installed, None where it is used without being installed."""
    return _version("xvlm-eval")


def computing() -> dict[str, str | None]:
    """Return the versions of the packages that compute predictions."""
    return {name: _version(name) for name in COMPUTING}


def commit() -> str | None:
    """Return the commit of this code, with `+` where tracked files differ from it; None outside of a checkout."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        head = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+" if changed else "")


def _git(root: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=10
    ).stdout.strip()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
