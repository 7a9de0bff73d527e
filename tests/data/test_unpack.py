"""Archives give the wanted members, and nothing out of their folder."""

import stat
import zipfile

import pytest

from harness.data.fetch.unzip import unpack, unpacked_size
from harness.errors import DataError

FOLDER = {"val2017/": "images/coco/val2017"}


def write(path, members, *, stored=False):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def take(archive, folder, members=FOLDER, limit=None):
    reports = []
    unpack(
        archive,
        folder,
        members,
        limit=limit,
        report=lambda done, total: reports.append((done, total)),
    )
    return reports


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_folder_of_an_archive_is_placed_and_the_rest_is_left(tmp_path):
    archive = write(
        tmp_path / "a.zip",
        [
            ("val2017/", b""),
            ("val2017/1.jpg", b"one"),
            ("val2017/2.jpg", b"two"),
            ("readme", b"no"),
        ],
    )
    assert unpacked_size(archive, FOLDER) == 6
    assert take(archive, tmp_path / "out") == [(3, 6), (6, 6)]
    assert files(tmp_path / "out") == {
        "images/coco/val2017/1.jpg": b"one",
        "images/coco/val2017/2.jpg": b"two",
    }


def test_a_file_is_found_wherever_it_lies_in_the_archive(tmp_path):
    archive = write(
        tmp_path / "a.zip", [("ovad/ovad2000.json", b"{}"), ("ovad/not-ovad2000.json", b"no")]
    )
    take(archive, tmp_path / "out", {"ovad2000.json": "ovad/ovad2000.json"})
    assert files(tmp_path / "out") == {"ovad/ovad2000.json": b"{}"}


def test_files_of_the_right_size_are_not_written_again(tmp_path):
    archive = write(tmp_path / "a.zip", [("val2017/1.jpg", b"one"), ("val2017/2.jpg", b"two")])
    folder = tmp_path / "out" / "images" / "coco" / "val2017"
    folder.mkdir(parents=True)
    (folder / "1.jpg").write_bytes(b"ONE")
    (folder / "2.jpg").write_bytes(b"t")
    take(archive, tmp_path / "out")
    assert files(folder) == {"1.jpg": b"ONE", "2.jpg": b"two"}


@pytest.mark.parametrize(
    "name",
    [
        "val2017/../../../pwned",
        "val2017//etc/pwned",
        "val2017/..\\pwned",
        "val2017/a/../../../../pwned",
    ],
)
def test_a_name_that_leads_out_of_the_folder_is_refused_before_anything_is_written(tmp_path, name):
    archive = write(tmp_path / "a.zip", [("val2017/1.jpg", b"one"), (name, b"evil")])
    reason = "separated by a backslash" if "\\" in name else "lies outside of images/coco/val2017"
    with pytest.raises(DataError, match=reason):
        take(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists() and not list(tmp_path.rglob("*pwned"))


def test_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("val2017/1.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = write(tmp_path / "a.zip", [(link, b"/etc/passwd")])
    with pytest.raises(DataError, match="is a link"):
        take(archive, tmp_path / "out")


def test_an_archive_that_declares_too_much_is_refused_before_anything_is_written(tmp_path):
    archive = write(tmp_path / "a.zip", [("val2017/1.jpg", b"0" * 1_000_000)])
    assert archive.stat().st_size < 2_000
    with pytest.raises(
        DataError, match="declares 1,000,000 bytes, more than the 999,999 of the published archive"
    ):
        take(archive, tmp_path / "out", limit=999_999)
    assert not (tmp_path / "out").exists()


def test_a_member_larger_than_declared_is_cut_off_and_refused(tmp_path):
    archive = write(tmp_path / "a.zip", [("val2017/1.jpg", b"0" * 100_000)], stored=True)
    content = bytearray(archive.read_bytes())
    # The offsets of a member's declared size in the central directory and in its own header.
    for header, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        start = content.index(header) + offset
        content[start : start + 4] = (10).to_bytes(4, "little")
    archive.write_bytes(content)
    with pytest.raises(DataError):
        take(archive, tmp_path / "out", limit=1_000)
    assert files(tmp_path / "out").get("images/coco/val2017/1.jpg") is None
    assert sum(map(len, files(tmp_path / "out").values())) <= 1_000


def test_a_member_twice_is_refused(tmp_path):
    archive = write(tmp_path / "a.zip", [("a/x.json", b"1"), ("b/x.json", b"2")])
    with pytest.raises(DataError, match="twice"):
        take(archive, tmp_path / "out", {"x.json": "x.json"})


def test_an_archive_without_a_wanted_member_is_named(tmp_path):
    archive = write(tmp_path / "a.zip", [("other/1.jpg", b"1")])
    with pytest.raises(DataError, match="holds no val2017/"):
        take(archive, tmp_path / "out")


def test_an_archive_damaged_anywhere_never_gives_a_wrong_file(tmp_path):
    parts = [(f"val2017/{number}.jpg", bytes([number]) * 500) for number in range(4)]
    whole = write(tmp_path / "whole.zip", parts, stored=True).read_bytes()
    right = {f"images/coco/val2017/{number}.jpg": bytes([number]) * 500 for number in range(4)}
    archive = tmp_path / "a.zip"
    refused = 0
    for index in range(0, len(whole), 7):
        archive.write_bytes(whole[:index] + bytes([whole[index] ^ 0xFF]) + whole[index + 1 :])
        out = tmp_path / str(index)
        try:
            take(archive, out, limit=10_000)
        except DataError:
            refused += 1
        assert files(out).items() <= right.items()
    assert refused > 250


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"<html>not found</html>", b"PK\x05\x06" + bytes(18)]
)
def test_a_file_that_is_no_archive_is_named(tmp_path, content):
    archive = tmp_path / "a.zip"
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.zip"):
        take(archive, tmp_path / "out")
