"""Temporary files: what a killed process leaves is removed, what others write is not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.files import temporary
from harness.files.atomic import replacing
from harness.files.temporary import DAY, HOUR, PREFIX, remove_abandoned, temporary_folder

WRITER = """
import sys
from pathlib import Path
from harness.files.temporary import temporary_file, temporary_folder
with temporary_file(Path(sys.argv[1])) as file, temporary_folder(Path(sys.argv[1])) as folder:
    file.write_text("half")
    (folder / "part").write_text("half")
    print("begun", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def writer(tmp_path):
    """A process that has begun a temporary file and a temporary folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"begun\n"
    yield process
    process.kill()
    process.communicate()


def make_older(path, seconds):
    """Set the last change of a file or folder back."""
    old = path.stat().st_mtime - seconds - 1
    os.utime(path, (old, old))


def test_what_a_killed_process_left_is_removed_by_the_next_one_that_writes_there(writer, tmp_path):
    for path in tmp_path.iterdir():
        make_older(path, HOUR)
    remove_abandoned(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2  # a process that lives keeps its own
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    with replacing(tmp_path / "result.json") as path:
        path.write_text("{}")
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_two_writers_of_one_file_disturb_each_other_in_nothing(tmp_path):
    target = tmp_path / "result.json"
    with replacing(target) as one, replacing(target) as other:
        make_older(one, HOUR)
        make_older(other, HOUR)
        remove_abandoned(tmp_path)
        one.write_text("one")
        other.write_text("other")
    assert target.read_text() == "one"  # the last one to end
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_an_error_leaves_neither_a_file_nor_a_folder(tmp_path):
    with pytest.raises(KeyError), replacing(tmp_path / "result.json"):
        raise KeyError
    with pytest.raises(KeyError), temporary_folder(tmp_path) as folder:
        (folder / "part").write_text("half")
        raise KeyError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("machine", "age"), [(temporary._machine(), HOUR), ("00000000", DAY)])
def test_a_file_without_a_lock_is_left_for_its_time(tmp_path, machine, age):
    path = tmp_path / f"{PREFIX}{machine}-0123456789abcdef"
    path.write_text("half")
    make_older(path, age - 60)
    remove_abandoned(tmp_path)
    assert path.exists()
    make_older(path, 60)
    remove_abandoned(tmp_path)
    assert not path.exists()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc")
def test_without_locks_nothing_is_open_while_it_is_written(tmp_path, monkeypatch):
    def open_descriptors():
        return len(list(Path("/proc/self/fd").iterdir()))

    left = tmp_path / f"{PREFIX}{temporary._machine()}-0123456789abcdef"
    left.write_text("half")
    make_older(left, DAY)
    monkeypatch.setattr(temporary, "fcntl", None)
    before = open_descriptors()
    with replacing(tmp_path / "result.json") as path:
        assert open_descriptors() == before
        path.write_text("{}")
    with temporary_folder(tmp_path) as folder:
        assert open_descriptors() == before
        assert folder.is_dir()
    assert (tmp_path / "result.json").read_text() == "{}"
    assert left.exists()


def test_nothing_is_removed_where_the_file_system_has_no_locks(tmp_path, monkeypatch):
    path = tmp_path / f"{PREFIX}{temporary._machine()}-0123456789abcdef"
    path.write_text("half")
    make_older(path, HOUR)

    def refuse(*_):
        raise OSError

    monkeypatch.setattr(temporary.fcntl, "flock", refuse)
    remove_abandoned(tmp_path)
    assert path.exists()
    with replacing(tmp_path / "result.json") as written:
        written.write_text("{}")
    assert (tmp_path / "result.json").read_text() == "{}"
    monkeypatch.undo()
    remove_abandoned(tmp_path)
    assert not path.exists()


def test_a_file_that_was_taken_for_abandoned_before_its_lock_is_made_again(tmp_path, monkeypatch):
    lock, made = temporary._lock, []

    def late(descriptor, *, wait):
        if not made:
            made.extend(tmp_path.iterdir())
            Path(made[0]).unlink()
        return lock(descriptor, wait=wait)

    monkeypatch.setattr(temporary, "_lock", late)
    with replacing(tmp_path / "result.json") as path:
        assert path not in made
        path.write_text("{}")
    assert (tmp_path / "result.json").read_text() == "{}"
