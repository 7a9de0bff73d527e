"""A file is known by its first bytes: what it is instead of what was meant, and what to do."""

import gzip
import json
import pickle
import re

import pytest

from harness.errors import DataError
from harness.files import kinds
from harness.files.kinds import describe_other_kind, read_bytes, read_text, recognise

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
OTHERS = {
    "empty": (b"", "is empty; the download or copy broke off: get it again"),
    "blank": (b" \n\t\n", "is empty"),
    "LFS": (POINTER, "is a Git LFS pointer, not the file itself: run `git lfs pull`"),
    "annex": (b"/annex/objects/SHA256E-s31390--f50.json\n", "is a git-annex pointer"),
    "HTML": (b"<!DOCTYPE html><html><title>Quota exceeded</title></html>", "is an HTML page"),
    "HTML, mark": (b"\xef\xbb\xbf\n <HTML>", "is an HTML page"),
    "XHTML": (b'<?xml version="1.0"?><html xmlns="">', "is an HTML page"),
    "XML": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "is an XML document"),
    "bzip2": (b"BZh91AY&SY", "is compressed by bzip2"),
    "zip": (b"PK\x03\x04\x14\0", "is a zip archive"),
    "tar": (b"a.json".ljust(257, b"\0") + b"ustar\x0000", "is a tar archive"),
    "UTF-16": ("[]".encode("utf-16"), "is UTF-16 text, not UTF-8: save it as UTF-8"),
    "pickle": (pickle.dumps([1]), "is a pickle"),
    "parquet": (b"PAR1\x15\x04", "is a parquet table"),
    "safetensors": (b'\x02\0\0\0\0\0\0\0{"a"', "is a safetensors file"),
    "JPEG": (b"\xff\xd8\xff\xe0\0\x10JFIF", "is a JPEG image"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_kind_of_file_is_named(tmp_path, name):
    content, problem = OTHERS[name]
    path = tmp_path / "list.json"
    path.write_bytes(content)
    expected = re.escape(f"{path}: {problem}")
    with pytest.raises(DataError, match=expected):
        read_text(path)
    with pytest.raises(DataError, match=expected):
        read_bytes(path)
    assert re.match(expected, describe_other_kind(path) or "")


@pytest.mark.parametrize("name", [name for name in OTHERS if name != "UTF-16"])
def test_another_kind_is_named_when_it_is_compressed_too(tmp_path, name):
    content, problem = OTHERS[name]
    path = tmp_path / "list.json.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match=re.escape(problem)):
        read_text(path)


@pytest.mark.parametrize("content", ["[]", "{}", "a,True", " 3", "[PAD]\n", '"<html>"', "é"])
def test_text_is_of_no_other_kind(tmp_path, content):
    path = tmp_path / "list.json"
    path.write_text(content, encoding="utf-8")
    assert recognise(content.encode()) is None and describe_other_kind(path) is None
    assert read_text(path) == content


@pytest.mark.parametrize("name", ["list.json", "list.json.gz"])
def test_gzip_and_a_byte_order_mark_are_read_whatever_the_name(tmp_path, name):
    text = json.dumps({"é": 1})
    (tmp_path / name).write_bytes(gzip.compress(b"\xef\xbb\xbf" + text.encode()))
    assert read_text(tmp_path / name) == text


def test_a_reader_takes_the_kinds_that_it_expects(tmp_path):
    path = tmp_path / "refs.p"
    path.write_bytes(pickle.dumps([1]))
    assert read_bytes(path, "pickle") and describe_other_kind(path, "pickle") is None
    path.write_bytes(b"")
    assert read_text(path, empty=True) == ""


def test_damage_and_excess_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "list.json"
    path.write_bytes(gzip.compress(b"[" + b"1," * 5000)[:-9])
    with pytest.raises(DataError, match="is damaged"):
        read_bytes(path)
    monkeypatch.setattr(kinds, "MAX_BYTES", 100)
    path.write_bytes(gzip.compress(b"1" * 101))  # small on disk
    with pytest.raises(DataError, match="too large for such a file"):
        read_bytes(path)
    path.write_bytes(b"1" * 101)
    with pytest.raises(DataError, match="too large for such a file"):
        read_bytes(path)


def test_a_dangling_link_is_said_to_be_one(tmp_path):
    (tmp_path / "list.json").symlink_to("elsewhere.json")
    with pytest.raises(DataError, match=r"is a link to elsewhere\.json, which does not exist"):
        read_bytes(tmp_path / "list.json")
