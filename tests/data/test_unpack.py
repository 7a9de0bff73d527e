"""Archives give up what they should hold, and nothing that they should not."""

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
    seen = []
    unpack(
        archive, folder, members, limit=limit, report=lambda done, total: seen.append((done, total))
    )
    return seen


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_folder_of_an_archive_goes_to_its_place_and_the_rest_is_left(tmp_path):
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


def test_what_is_there_whole_is_not_written_again(tmp_path):
    archive = write(tmp_path / "a.zip", [("val2017/1.jpg", b"one"), ("val2017/2.jpg", b"two")])
    place = tmp_path / "out" / "images" / "coco" / "val2017"
    place.mkdir(parents=True)
    (place / "1.jpg").write_bytes(b"ONE")
    (place / "2.jpg").write_bytes(b"t")
    take(archive, tmp_path / "out")
    assert files(place) == {"1.jpg": b"ONE", "2.jpg": b"two"}


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
    with pytest.raises(DataError, match="leads out of its folder"):
        take(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists() and not list(tmp_path.rglob("*pwned"))


def test_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("val2017/1.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = write(tmp_path / "a.zip", [(link, b"/etc/passwd")])
    with pytest.raises(DataError, match="is a link"):
        take(archive, tmp_path / "out")


def test_an_archive_that_says_it_holds_too_much_is_refused_before_anything_is_written(tmp_path):
    archive = write(tmp_path / "a.zip", [("val2017/1.jpg", b"0" * 1_000_000)])
    assert archive.stat().st_size < 2_000
    with pytest.raises(
        DataError, match="says that it holds 1,000,000 bytes, more than the 999,999"
    ):
        take(archive, tmp_path / "out", limit=999_999)
    assert not (tmp_path / "out").exists()


def test_a_member_that_is_larger_than_it_says_is_cut_off_and_refused(tmp_path):
    archive = write(tmp_path / "a.zip", [("val2017/1.jpg", b"0" * 100_000)], stored=True)
    content = bytearray(archive.read_bytes())
    for head, place in (
        (b"PK\x01\x02", 24),
        (b"PK\x03\x04", 22),
    ):  # where an archive says how large a member is
        at = content.index(head) + place
        content[at : at + 4] = (10).to_bytes(4, "little")
    archive.write_bytes(content)
    with pytest.raises(DataError):
        take(archive, tmp_path / "out", limit=1_000)
    assert files(tmp_path / "out").get("images/coco/val2017/1.jpg") is None
    assert sum(map(len, files(tmp_path / "out").values())) <= 1_000


def test_a_member_twice_is_refused(tmp_path):
    archive = write(tmp_path / "a.zip", [("a/x.json", b"1"), ("b/x.json", b"2")])
    with pytest.raises(DataError, match="twice"):
        take(archive, tmp_path / "out", {"x.json": "x.json"})


def test_an_archive_without_what_is_wanted_is_named(tmp_path):
    archive = write(tmp_path / "a.zip", [("other/1.jpg", b"1")])
    with pytest.raises(DataError, match="holds no val2017/"):
        take(archive, tmp_path / "out")


def test_an_archive_damaged_anywhere_never_gives_a_wrong_file(tmp_path):
    parts = [(f"val2017/{number}.jpg", bytes([number]) * 500) for number in range(4)]
    whole = write(tmp_path / "whole.zip", parts, stored=True).read_bytes()
    right = {f"images/coco/val2017/{number}.jpg": bytes([number]) * 500 for number in range(4)}
    archive = tmp_path / "a.zip"
    refused = 0
    for place in range(0, len(whole), 7):
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        out = tmp_path / str(place)
        try:
            take(archive, out, limit=10_000)
        except DataError:
            refused += 1
        assert {
            name: content for name, content in files(out).items() if not name.endswith(".part")
        }.items() <= right.items()
    assert refused > 250


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"<html>not found</html>", b"PK\x05\x06" + bytes(18)]
)
def test_what_is_no_archive_is_named(tmp_path, content):
    archive = tmp_path / "a.zip"
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.zip"):
        take(archive, tmp_path / "out")
