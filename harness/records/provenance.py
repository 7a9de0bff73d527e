"""The software and the processor that a number was computed with."""

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.plugins import MODEL, TASK

VECTOR_SETS = ("avx512f", "avx2")  # instruction sets of matrix products, widest first
COMPUTING = ("torch", "transformers", "numpy", "pillow")  # their version can move a prediction
PLUGINS = (TASK, MODEL)
STATUS = ("status", "--porcelain=v2", "--branch", "--untracked-files=no")  # of git
OID = "# branch.oid "  # begins the line of its output that names the commit
ROOT = Path(__file__).parents[2]
PACKAGES = ("harness", "tasks")
# Folders whose code sees no prediction before it is made; nothing that predicts imports them.
NOT_PREDICTING = ("api", "bench", "cli", "doctor", "drift", "export", "report", "tables")


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


def code_sha256(*parts: object) -> str:
    """Return the SHA-256 of the source files that predictions and scores are made by.

    These are this project's own, and the files that define the classes of `parts`: a task or a
    model of another package.
    """
    digest = hashlib.sha256(_own_code().encode())
    for part in parts:
        kind = type(part)
        if kind.__module__.partition(".")[0] not in PACKAGES:
            path = getattr(sys.modules.get(kind.__module__), "__file__", None)
            source = Path(path).read_bytes() if path and Path(path).is_file() else b""
            digest.update(
                f"{kind.__module__} {kind.__qualname__} {len(source)}\n".encode() + source
            )
    return digest.hexdigest()


def code_versions(code: Mapping[str, Any]) -> dict[str, str]:
    """Return the code of a run's identity as properties of its software: SHA-256 and versions."""
    versions = {"code": code["sha256"]}
    for kind in PLUGINS:
        if kind in code:
            plugin = code[kind]
            package = " ".join(filter(None, (plugin["distribution"], plugin["version"])))
            versions[kind] = f"{plugin['name']} of {package or 'no package'}"
            versions[f"{kind} code"] = plugin["sha256"]
    return versions


@cache
def _own_code() -> str:
    digest = hashlib.sha256()
    for name in sorted(name for package in PACKAGES for name in _source_files(package)):
        source = (ROOT / name).read_bytes().replace(b"\r\n", b"\n")  # as git may check out
        digest.update(f"{name} {len(source)}\n".encode() + source)
    return digest.hexdigest()


def _source_files(package: str) -> Iterator[str]:
    """Yield the names below ROOT of a package's source files, but for those NOT_PREDICTING.

    As text: every run asks for hundreds of them, and as paths, they take as long as reading them.
    """
    root, top = len(str(ROOT)) + 1, str(ROOT / package)
    for folder, folders, files in os.walk(top):
        if folder == top:
            folders[:] = [name for name in folders if name not in NOT_PREDICTING]
        inside = folder[root:].replace(os.sep, "/")
        yield from (f"{inside}/{name}" for name in files if name.endswith(".py"))


@cache
def commit() -> str | None:
    """Return the commit of this code at the first call, with `+` if tracked files differ.

    None without a checkout.
    """
    if not (ROOT / ".git").exists():
        return None
    try:
        # Without locks: a status that is killed, or on a full disk, would leave a lock behind that
        # stops every later command of git.
        command = ["git", "--no-optional-locks", "-C", str(ROOT), *STATUS]
        status = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return _commit_of(status.stdout)


def _commit_of(status: str) -> str | None:
    """Return the commit that `git status` names, with `+` if it lists files; None before any."""
    commit, changed = None, False
    for line in status.splitlines():
        if line.startswith(OID):
            commit = line.removeprefix(OID)
        changed = changed or not line.startswith("#")
    if commit is None or commit.startswith("("):
        return None
    return commit + ("+" if changed else "")


@cache
def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
