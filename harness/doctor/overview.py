"""What can be done here and now: the data, the weights and the results that this machine has."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from harness.checkpoints import Entry, entries, release_path
from harness.data.resolve import Embedded, Hub, resolve_data
from harness.errors import MissingError
from harness.files.paths import config_file, resolve_folder
from harness.formats.folder import open_folder
from harness.records.stored import find_results
from harness.registry import loadable_tasks

RESULTS = Path("runs")  # where `run` writes by default


class Possibility(NamedTuple):
    """Something one can do: its subject, what was found of it, and the commands to go on with."""

    subject: str
    finding: str
    commands: tuple[str, ...]


def possibilities() -> list[Possibility]:
    """Return what can be done here and now, in the order in which a newcomer needs it."""
    folder = resolve_folder("data")
    return [_demo(), _data(), _weights(folder), _own_data(), _results()]


def render_overview(found: list[Possibility]) -> str:
    """Return the possibilities as text: the subject and its finding, then the commands."""
    width = max(len(possibility.subject) for possibility in found)
    lines = []
    for subject, finding, commands in found:
        lines.append(f"  {subject:<{width}}  {finding}")
        lines += [f"  {'':<{width}}    {command}" for command in commands]
    return "\n".join(lines)


def _demo() -> Possibility:
    return Possibility(
        "demo",
        "seven benchmarks and a small model are included; about two minutes",
        ("xvlm-eval run --task all", "xvlm-eval table"),
    )


def _data() -> Possibility:
    """Look for the files of each task in the data folder of the configuration."""
    source = resolve_data(None)
    if isinstance(source, Embedded):
        return Possibility(
            "real data",
            f"none: no folder by --data, XVLM_EVAL_DATA or {config_file()}",
            ("xvlm-eval data --layout", "xvlm-eval fetch --data DIR"),
        )
    if isinstance(source, Hub):
        return Possibility("real data", f"{source}, copies on the hub", ("xvlm-eval doctor",))
    try:
        folder = open_folder(source.folder)
    except MissingError as error:
        return Possibility("real data", str(error), ())
    tasks = [task for task in loadable_tasks()[0] if not task.extra]
    complete = [
        task.name
        for task in tasks
        if not folder.missing(file for split in task.splits for file in task.files(split))
    ]
    return Possibility(
        "real data",
        f"{folder.root}: {', '.join(complete) or 'no task'} of {len(tasks)} complete",
        ("xvlm-eval data", *(("xvlm-eval run --task " + complete[0],) if complete else ())),
    )


def _weights(data: Path | None) -> Possibility:
    """Look for the files of each released model."""
    released = [entry for entry in entries().values() if not entry.embedded]
    found = {entry.name: tasks for entry in released if (tasks := list(_present(entry, data)))}
    if not found:
        return Possibility(
            "weights",
            f"none of {len(released)} released models; any file, folder or hub id can be run",
            ("xvlm-eval fetch --weights", "xvlm-eval list"),
        )
    names = "; ".join(f"{name} for {', '.join(tasks)}" for name, tasks in found.items())
    first, tasks = next(iter(found.items()))
    return Possibility("weights", names, (f"xvlm-eval run --checkpoint {first} --task {tasks[0]}",))


def _present(entry: Entry, data: Path | None) -> Iterator[str]:
    """Yield the tasks of an entry whose weight file is here."""
    for task, release in entry.files.items():
        try:
            release_path(entry, release, data)
        except MissingError:
            continue
        yield task


def _own_data() -> Possibility:
    return Possibility(
        "your own data",
        "a file of JSON lines and a folder of images",
        ("xvlm-eval run --task grounding --annotations FILE.jsonl --images DIR",),
    )


def _results() -> Possibility:
    """Count the records in the folder that `run` writes to by default."""
    records = find_results(RESULTS).results if RESULTS.is_dir() else ()
    if not records:
        return Possibility("results", f"none in {RESULTS}/ yet", ())
    names = sorted({stored.record.checkpoint["name"] for stored in records})
    return Possibility(
        "results",
        f"{RESULTS}/: {len(records)} records of {', '.join(names)}",
        ("xvlm-eval table --layout all", f"xvlm-eval show {RESULTS}", "xvlm-eval report"),
    )
