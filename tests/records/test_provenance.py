"""The code and the commit behind a number: which files count, and what git is asked."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from harness.records import provenance

SOURCES = {
    "harness/__init__.py": b"",
    "harness/engine/matmul.py": b"x = 1\r\n",
    "harness/cli/run.py": b"not read before a prediction",
    "harness/engine/cli/run.py": b"of a folder that only has such a name",
    "tasks/ovad.py": b"y = 2\n",
    "tasks/notes.txt": b"no code",
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, content in SOURCES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    for cached in (provenance._own_code, provenance.commit):
        cached.cache_clear()
        monkeypatch.setattr(provenance, cached.__name__, cached.__wrapped__)
    return tmp_path


def test_the_code_is_every_source_file_that_predicts_in_the_order_of_names(root: Path) -> None:
    expected = hashlib.sha256(
        b"harness/__init__.py 0\n"
        b"harness/engine/cli/run.py 37\nof a folder that only has such a name"
        b"harness/engine/matmul.py 6\nx = 1\n"
        b"tasks/ovad.py 6\ny = 2\n"
    )
    assert provenance._own_code() == expected.hexdigest()


def test_the_commit_is_asked_for_once_and_marked_where_tracked_files_differ(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> str:
        options = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(root), *options, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert provenance.commit() is None  # no repository
    git("init")
    assert provenance.commit() is None  # no commit
    git("add", "harness")
    git("commit", "-m", "One")
    calls = []
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *a, **b: calls.append(a) or run(*a, **b))
    index = (root / ".git/index").read_bytes()
    os.utime(root / "harness/__init__.py", (0, 0))  # which a plain status notes in the index
    assert provenance.commit() == git("rev-parse", "HEAD")  # tasks/ is not tracked
    assert (root / ".git/index").read_bytes() == index
    (root / "harness/__init__.py").write_text("z = 3\n")
    assert provenance.commit() == f"{git('rev-parse', 'HEAD')}+"
    asked = [command for (command,) in calls if "status" in command]
    assert len(asked) == 2
    assert len(calls) == len(asked) + 2  # with those of the test itself
