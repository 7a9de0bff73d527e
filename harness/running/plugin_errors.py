"""Errors in the code of other packages, by plugin, sample and line.

A plugin may raise anything. What it raises becomes a `PluginError` with one message; errors of this
project that have a message of their own (`HarnessError`), and memory that runs out, pass unchanged.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from traceback import FrameSummary, extract_tb

from harness.engine.memory import is_out_of_memory
from harness.errors import HarnessError, ModelError, PluginError, first_line
from harness.plugins import MODEL, TASK, Plugin, plugins
from harness.task import Sample

NAMED = 4  # samples that a message names
KEPT = "what was predicted is kept; --debug prints the trace"


@contextmanager
def naming_plugins(used: Sequence[Plugin]) -> Iterator[None]:
    """Raise PluginError for what the code of one of the plugins `used` raises within a block."""
    try:
        yield
    except ModelError as error:
        if not used:
            raise
        raise PluginError(f"{_names(used)}: {error}") from error
    except HarnessError:
        raise
    except Exception as error:
        if not used or is_out_of_memory(error):
            raise
        raise PluginError(_message(used, error)) from error


def describe_plugin_error(error: Exception) -> str | None:
    """Return a message about an error that any plugin raised; None for one of this project."""
    known = [*plugins(TASK), *plugins(MODEL)]
    if not known or _raised_in(known, extract_tb(error.__traceback__))[0] is None:
        return None
    return _message(known, error)


@contextmanager
def noting_samples(samples: Sequence[Sample]) -> Iterator[None]:
    """Add the ids of `samples` to what is raised within a block."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, HarnessError):
            note_samples(error, samples)
        raise


def note_samples(error: Exception, samples: Sequence[Sample]) -> None:
    """Add the ids of samples to an error."""
    if samples:
        error.add_note(f"in the batch of {_listed(samples)}")


def _message(used: Sequence[Plugin], error: Exception) -> str:
    frames = extract_tb(error.__traceback__)
    plugin, frame = _raised_in(used, frames)
    kind = f"{type(error).__name__}: {first_line(error)}"
    where = [f"{Path(frame.filename).name}, line {frame.lineno}, in {frame.name}"]
    notes = [str(note) for note in getattr(error, "__notes__", ())]
    if plugin is not None:
        return f"{plugin}: {kind} ({'; '.join(where + notes)}); {KEPT}"
    return (
        f"{_names(used)}: {kind} ({'; '.join(where + notes)}), outside of its own code: it "
        f"returned something unexpected, or this is a bug of xvlm-eval; {KEPT}"
    )


def _raised_in(
    used: Sequence[Plugin], frames: Sequence[FrameSummary]
) -> tuple[Plugin | None, FrameSummary]:
    """Return the plugin that an error was raised by, if one was, and the innermost frame there."""
    files = {
        str(path.resolve()): plugin for plugin in used for path in plugin.source_files().values()
    }
    for frame in reversed(frames):
        if plugin := files.get(str(Path(frame.filename).resolve())):
            return plugin, frame
    return None, frames[-1]


def _names(used: Sequence[Plugin]) -> str:
    return " with ".join(map(str, used))


def _listed(samples: Sequence[Sample]) -> str:
    names = ", ".join(repr(sample.id) for sample in samples[:NAMED])
    more = f" and {len(samples) - NAMED} more" if len(samples) > NAMED else ""
    return f"sample{'s' if len(samples) > 1 else ''} {names}{more}"
