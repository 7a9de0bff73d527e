"""Checks of the machine: Python, packages, device, memory, Java, cache, disk and hub."""

import os
import platform
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import InvalidVersion

from harness.engine.memory import free_memory
from harness.errors import MissingError
from harness.files.paths import cache_folder, hub_is_offline
from harness.metrics.captions import try_scorers
from harness.metrics.java import java_environment

OK, NOTE, FAILED = "ok", "note", "failed"  # a note may hinder some runs, a failure stops all
PYTHON = (3, 11)  # oldest supported version
NEEDED_FOR = {  # packages that not every run needs
    "datasets": "data from the hub",
    "pycocotools": "coco-caption",
    "pycocoevalcap": "coco-caption",
}
LOW_MEMORY, LOW_DISK = 4 * 10**9, 10**9  # bytes; less is a note
HUB_TIMEOUT = 10.0  # seconds


@dataclass(frozen=True)
class Check:
    """The outcome of one check: its finding, and the remedies unless all is well."""

    name: str
    state: str
    finding: str
    remedies: tuple[str, ...] = ()


def check_machine(*, online: bool) -> Iterator[Check]:
    """Yield the checks that need neither data nor weights; contact the hub only if `online`."""
    yield _check_python()
    try:
        yield from check_packages(requires("xvlm-eval") or [])
    except PackageNotFoundError:
        finding = "xvlm-eval is used without being installed, so versions cannot be compared"
        yield Check("packages", NOTE, finding, ("pip install -e .",))
    yield _check_device()
    yield check_memory()
    yield _check_java()
    yield _check_cache()
    yield _check_disk()
    yield _check_hub(online=online)


def _check_python() -> Check:
    finding = platform.python_version()
    if tuple(map(int, platform.python_version_tuple()[:2])) >= PYTHON:
        return Check("python", OK, finding)
    oldest = ".".join(map(str, PYTHON))
    return Check("python", FAILED, finding, (f"install Python {oldest} or newer",))


def check_packages(requirements: Iterable[str]) -> Iterator[Check]:
    """Yield a check of each required package whose marker holds here; extras are not required."""
    for requirement in map(Requirement, requirements):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            try:
                installed = version(requirement.name)
            except PackageNotFoundError:
                installed = None
            yield check_package(requirement, installed=installed)


def check_package(requirement: Requirement, *, installed: str | None) -> Check:
    """Compare the installed version of a package (None: not installed) with the tested ones."""
    name = requirement.name
    tested = ",".join(sorted(map(str, requirement.specifier), reverse=True))
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    remedies = (f"pip install '{name}{extras}{tested}'",)
    if installed is None:
        purpose = NEEDED_FOR.get(name)
        finding = f"not installed{f'; needed for {purpose}' if purpose else ''}"
        return Check(name, NOTE if purpose else FAILED, finding, remedies)
    try:
        accepted = requirement.specifier.contains(installed, prereleases=True)
    except InvalidVersion:
        accepted = False
    if accepted:
        return Check(name, OK, f"{installed} ({tested})" if tested else installed)
    return Check(name, NOTE, f"{installed} was not tested; tested are {tested}", remedies)


def _check_device() -> Check:
    try:
        import torch
    except Exception as error:  # a broken installation can raise anything
        finding = f"torch cannot be imported ({type(error).__name__}: {error})"
        return Check("device", FAILED, finding, ("install torch anew",))
    if torch.cuda.is_available():
        devices = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
        names = [f"{device.name} ({device.total_memory / 1e9:.0f} GB)" for device in devices]
        return Check("device", OK, ", ".join(names))
    finding = f"cpu, {os.cpu_count()} cores"
    if torch.version.cuda:
        finding += f"; torch is built for CUDA {torch.version.cuda}, but finds no GPU"
        return Check("device", NOTE, finding, ("look at nvidia-smi and the driver",))
    return Check("device", OK, finding)


def check_memory(root: Path = Path("/")) -> Check:
    """Check the memory that a run may take, which a control group (Slurm, Docker) may limit.

    It is the number from which a run chooses its batch size. `root` is where /proc and /sys are.
    """
    free = free_memory(root)
    if free is None:
        return Check("memory", NOTE, "unknown: the system does not report it")
    finding = f"{free / 1e9:.1f} GB available"
    if total := _total_memory():
        finding += f" of the machine's {total / 1e9:.1f} GB"
    if free < LOW_MEMORY:
        remedy = "the embedded benchmark runs; for models of base size take a smaller --batch-size"
        return Check("memory", NOTE, finding, (remedy,))
    return Check("memory", OK, finding)


def _total_memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on this system
        return None


def _check_java() -> Check:
    """Check that Java is installed, and that METEOR scores a caption correctly with it."""
    try:
        java_environment()
    except MissingError as error:
        remedy = str(error).split(": ", 1)[-1]
        return Check("java", NOTE, "none; needed for coco-caption", (remedy,))
    try:
        java = try_scorers()
    except MissingError as error:
        finding, _, remedy = str(error).rpartition("; ")
        return Check("java", NOTE, finding or remedy, (remedy,))
    return Check("java", OK, f"{java}, scores a caption right")


def _check_cache() -> Check:
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        finding = f"{folder}: cannot be written ({error.strerror})"
        return Check("cache", NOTE, finding, ("set XVLM_EVAL_CACHE to a folder that can",))
    return Check("cache", OK, str(folder))


def _check_disk() -> Check:
    here = Path.cwd()
    free = shutil.disk_usage(here).free
    finding = f"{free / 1e9:.1f} GB free at {here}"
    if not os.access(here, os.W_OK):
        remedy = "name a folder with `run --out DIR`"
        return Check("disk", NOTE, f"{here}: cannot be written", (remedy,))
    if free < LOW_DISK:
        remedy = "make room, or name a folder on another disk with `run --out DIR`"
        return Check("disk", NOTE, finding, (remedy,))
    return Check("disk", OK, finding)


def _check_hub(*, online: bool) -> Check:
    if hub_is_offline():
        return Check("hub", OK, "left alone, since HF_HUB_OFFLINE is set")
    if not online:
        return Check("hub", OK, "not contacted (--online does it)")
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import urlopen

    try:
        with urlopen(address, timeout=HUB_TIMEOUT):
            return Check("hub", OK, f"{address} answers")
    except HTTPError as error:
        finding = f"{address} answers {error.code} {error.reason}"
        return Check("hub", NOTE, finding, ("try later; data in the cache can be used meanwhile",))
    except (OSError, ValueError, HTTPException) as error:  # the last: no answer by HTTP
        reason = " ".join(str(getattr(error, "reason", None) or error).split())
        finding = f"{address} cannot be reached ({reason})"
        remedy = "check the network and its proxy, or set HF_HUB_OFFLINE=1"
        return Check("hub", NOTE, finding, (remedy,))
