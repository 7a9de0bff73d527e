"""Paths: the same folder by several names is one."""

from pathlib import Path

from harness.files.paths import distinct


def test_a_folder_counts_where_it_is_first_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        Path(name).mkdir()
    named = [Path("a"), Path("b"), Path("./b/../a"), Path("b")]
    assert distinct(named) == [Path("a"), Path("b")]
