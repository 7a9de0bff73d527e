"""What this machine is like: Python, packages, device, memory, Java, disk, the hub; with the remedy beside each."""

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from harness.errors import MissingError
from harness.files.paths import cache_folder, hub_is_offline
from harness.metrics.java import java_environment

OK, NOTE, FAILED = "ok", "note", "failed"  # a note hinders some runs, a failure all of them
PYTHON = (3, 11)
ONLY_FOR = {
    "datasets": "data from the hub",
    "pycocotools": "coco-caption",
    "pycocoevalcap": "coco-caption",
}  # others are needed always
LITTLE_MEMORY, LITTLE_DISK = 4 * 10**9, 10**9  # bytes below which we warn
PATIENCE = 10.0  # seconds for the hub to answer


@dataclass(frozen=True)
class Check:
    """One thing looked at: what was found, and what to do about it, one thing after another, where it is not as it should be."""

    name: str
    state: str
    found: str
    remedies: tuple[str, ...] = ()


def machine(*, online: bool) -> Iterator[Check]:
    """Yield a check of everything that does not depend on data or weights. The hub is asked only where `online` is."""
    yield _python()
    yield from _packages()
    yield _device()
    yield _memory()
    yield _java()
    yield _cache()
    yield _disk()
    yield _hub(online=online)


def _python() -> Check:
    if tuple(map(int, platform.python_version_tuple()[:2])) >= PYTHON:
        return Check("python", OK, platform.python_version())
    return Check(
        "python",
        FAILED,
        platform.python_version(),
        (f"install Python {PYTHON[0]}.{PYTHON[1]} or newer",),
    )


def _packages() -> Iterator[Check]:
    try:
        needed = requires("xvlm-eval") or []
    except PackageNotFoundError:
        yield Check(
            "packages",
            NOTE,
            "xvlm-eval is used without being installed, so that versions cannot be compared",
            ("pip install -e .",),
        )
        return
    for requirement in needed:
        wanted = re.match(r"([\w.-]+)\s*([^;]*)", requirement)
        if wanted and "extra ==" not in requirement:
            try:
                found = version(wanted[1])
            except PackageNotFoundError:
                found = None
            yield package(wanted[1], wanted[2].strip(), found=found)


def package(name: str, ranges: str, *, found: str | None) -> Check:
    """Compare the version found of a package (None: it is not installed) with the tested ones, such as `>=2.11,<2.14`."""
    wanted = ",".join(sorted(ranges.split(","), reverse=True))
    remedies = (f"pip install '{name}{wanted}'",)
    if found is None:
        only_for = ONLY_FOR.get(name)
        return Check(
            name,
            NOTE if only_for else FAILED,
            f"not installed{f'; needed for {only_for}' if only_for else ''}",
            remedies,
        )
    if all(map(lambda clause: _holds(found, clause), filter(None, ranges.split(",")))):
        return Check(name, OK, f"{found} ({wanted})")
    return Check(name, NOTE, f"{found} was not tested; tested are {wanted}", remedies)


def _holds(found: str, clause: str) -> bool:
    limit = _numbers(clause)
    number = _numbers(found)[: len(limit)]
    return number >= limit if clause.strip().startswith(">=") else number < limit


def _numbers(text: str) -> tuple[int, ...]:
    found = re.search(r"\d+(\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def _device() -> Check:
    try:
        import torch
    except Exception as error:  # a broken installation raises what it likes
        return Check(
            "device",
            FAILED,
            f"torch cannot be imported ({type(error).__name__}: {error})",
            ("install torch anew",),
        )
    if torch.cuda.is_available():
        names = [
            torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())
        ]
        return Check(
            "device",
            OK,
            ", ".join(f"{one.name} ({one.total_memory / 1e9:.0f} GB)" for one in names),
        )
    found = f"cpu, {os.cpu_count()} cores"
    if torch.version.cuda:
        return Check(
            "device",
            NOTE,
            f"{found}; torch is built for CUDA {torch.version.cuda}, but finds no GPU",
            ("look at nvidia-smi and the driver",),
        )
    return Check("device", OK, found)


def _memory() -> Check:
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):  # a system that does not tell
        return Check("memory", NOTE, "the system does not tell")
    found = f"{total / 1e9:.1f} GB, {free / 1e9:.1f} GB of it unused"
    if total < LITTLE_MEMORY:
        return Check(
            "memory",
            NOTE,
            found,
            ("the embedded benchmark runs; for models of base size take a smaller --batch-size",),
        )
    return Check("memory", OK, found)


def _java() -> Check:
    try:
        java = shutil.which("java", path=java_environment()["PATH"])
    except MissingError as error:
        return Check(
            "java", NOTE, "none; needed for coco-caption", (str(error).split(": ", 1)[-1],)
        )
    return Check("java", OK, str(java))


def _cache() -> Check:
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Check(
            "cache",
            NOTE,
            f"{folder}: cannot be written ({error.strerror})",
            ("set XVLM_EVAL_CACHE to a folder that can",),
        )
    return Check("cache", OK, str(folder))


def _disk() -> Check:
    here = Path.cwd()
    free = shutil.disk_usage(here).free
    found = f"{free / 1e9:.1f} GB free at {here}"
    if not os.access(here, os.W_OK):
        return Check(
            "disk", NOTE, f"{here}: cannot be written", ("name a folder with `run --out DIR`",)
        )
    if free < LITTLE_DISK:
        return Check(
            "disk",
            NOTE,
            found,
            ("make room, or name a folder on another disk with `run --out DIR`",),
        )
    return Check("disk", OK, found)


def _hub(*, online: bool) -> Check:
    if hub_is_offline():
        return Check("hub", OK, "left alone, since HF_HUB_OFFLINE is set")
    if not online:
        return Check("hub", OK, "not asked (--online asks it)")
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    from urllib.error import HTTPError
    from urllib.request import urlopen

    try:
        with urlopen(address, timeout=PATIENCE):
            return Check("hub", OK, f"{address} answers")
    except HTTPError as error:
        return Check(
            "hub",
            NOTE,
            f"{address} answers {error.code} {error.reason}",
            ("try later; what is in the cache can be used",),
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        return Check(
            "hub",
            NOTE,
            f"{address} cannot be reached ({reason})",
            ("check the network and its proxy, or set HF_HUB_OFFLINE=1",),
        )
