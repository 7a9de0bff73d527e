"""A download that was begun before: continued where it is sure to be the same file, else anew."""

import hashlib
import json
import subprocess
import sys

import pytest

from harness.errors import HarnessError
from tests.data.downloads import (
    CONTENT,
    CUT,
    KEPT,
    NEW,
    SHA256,
    get,
    interrupt,
    only_the_right_file,
)
from tests.support.unreliable_server import Site, served


@pytest.fixture
def site():
    with served(Site({"/file": CONTENT})) as running:
        yield running


def test_a_server_that_goes_away_leaves_the_bytes_and_the_next_call_asks_for_the_rest(
    site, tmp_path
):
    site.breaks = lambda request: CUT if request == 1 else 0
    with pytest.raises(
        HarnessError, match="the bytes received are kept, run the same command to resume"
    ):
        get(site, tmp_path, sha256=SHA256)
    assert not (tmp_path / "file").exists()
    assert (tmp_path / "file.partial").read_bytes() == CONTENT[:KEPT]
    site.breaks, site.sent = lambda request: None, 0
    get(site, tmp_path, sha256=SHA256)
    assert only_the_right_file(tmp_path)
    assert site.sent == len(CONTENT) - KEPT


@pytest.mark.parametrize("heeds_if_range", [True, False])
def test_a_file_that_changes_between_two_calls_is_begun_anew(site, tmp_path, heeds_if_range):
    interrupt(site, tmp_path)
    site.files["/file"], site.tag, site.heeds_if_range = NEW, '"two"', heeds_if_range
    get(site, tmp_path, sha256=hashlib.sha256(NEW).hexdigest())
    assert only_the_right_file(tmp_path, NEW)


@pytest.mark.parametrize("heeds_if_range", [True, False])
def test_a_file_that_changes_while_it_is_fetched_is_begun_anew(site, tmp_path, heeds_if_range):
    site.heeds_if_range = heeds_if_range

    def change(request):
        if request == 2:
            site.files["/file"], site.tag = NEW, '"two"'
        return CUT if request < 3 else None

    site.breaks = change
    get(site, tmp_path)
    assert only_the_right_file(tmp_path, NEW)


def test_a_changed_file_is_recognised_by_the_server_alone(site, tmp_path):
    """It heeds If-Range, and sends no validator with a part: no part may be asked for without."""
    site.parts_have_tag = False
    interrupt(site, tmp_path)
    site.files["/file"], site.tag = NEW, '"two"'
    get(site, tmp_path)
    assert only_the_right_file(tmp_path, NEW)
    (tmp_path / "file").unlink()
    interrupt(site, tmp_path)
    get(site, tmp_path)
    assert only_the_right_file(tmp_path, NEW) and site.asked == [f"bytes={KEPT}-"]


def test_a_part_that_is_shorter_than_its_range_is_continued(site, tmp_path):
    site.breaks = lambda request: CUT if request == 1 else None
    site.length = lambda size: size - 10 if 10 < size < len(CONTENT) else size
    get(site, tmp_path)
    assert only_the_right_file(tmp_path)
    assert site.asked == ["all", f"bytes={KEPT}-", "bytes=99990-"]


def test_a_file_that_shrinks_below_the_bytes_received_is_begun_anew(site, tmp_path):
    interrupt(site, tmp_path)
    short = CONTENT[:1_000]
    site.files["/file"], site.heeds_if_range = short, False  # answers 416
    get(site, tmp_path)
    assert only_the_right_file(tmp_path, short)
    assert site.asked == [f"bytes={KEPT}-", "all"]


def test_the_date_of_the_last_change_tells_versions_apart_too(site, tmp_path):
    site.tag, site.modified = 'W/"weak"', "Mon, 01 Jan 2024 00:00:00 GMT"
    interrupt(site, tmp_path)
    get(site, tmp_path)
    assert only_the_right_file(tmp_path) and site.asked == [f"bytes={KEPT}-"]
    (tmp_path / "file").unlink()
    interrupt(site, tmp_path)
    site.files["/file"], site.modified = NEW, "Tue, 02 Jan 2024 00:00:00 GMT"
    get(site, tmp_path)
    assert only_the_right_file(tmp_path, NEW)


def test_bytes_of_no_recognisable_version_are_begun_anew(site, tmp_path):
    site.tag, site.breaks = None, lambda request: CUT
    with pytest.raises(HarnessError):
        get(site, tmp_path)
    assert (tmp_path / "file.partial").stat().st_size == KEPT
    site.files["/file"], site.breaks = NEW, lambda request: None
    get(site, tmp_path)
    assert only_the_right_file(tmp_path, NEW) and set(site.asked) == {"all"}


NOTE = {"url": "http://elsewhere/file", "bytes": 100_000, "tag": '"one"'}


@pytest.mark.parametrize(
    "note",
    [
        "",
        "{",
        "[]",
        "3",
        '{"bytes": {"x": 1}}',
        json.dumps({**NOTE, "bytes": "x"}),
        json.dumps(NOTE),
    ],
)
def test_a_note_that_is_damaged_or_of_another_file_is_not_believed(site, tmp_path, note):
    interrupt(site, tmp_path)
    (tmp_path / "file.partial.json").write_text(note)
    get(site, tmp_path, sha256=SHA256)
    assert only_the_right_file(tmp_path) and site.asked == ["all"]


def test_the_pieces_of_an_earlier_version_of_this_program_are_begun_anew(site, tmp_path):
    """It fetched pieces in any order: its partial files have holes."""
    (tmp_path / "file.partial").write_bytes(bytes(50_000))
    note = {"url": f"{site.url}/file", "total": 100_000, "tag": '"one"', "piece": 9_000}
    (tmp_path / "file.partial.json").write_text(json.dumps({**note, "written": {"36000": 9_000}}))
    get(site, tmp_path)
    assert only_the_right_file(tmp_path)


def test_a_partial_file_that_was_cut_is_continued_from_its_end(site, tmp_path):
    interrupt(site, tmp_path)
    (tmp_path / "file.partial").write_bytes(CONTENT[:10_000])
    get(site, tmp_path)
    assert only_the_right_file(tmp_path) and site.asked == ["bytes=10000-"]


def test_a_partial_file_longer_than_its_note_is_begun_anew(site, tmp_path):
    interrupt(site, tmp_path)
    (tmp_path / "file.partial").write_bytes(bytes(100_001))
    get(site, tmp_path)
    assert only_the_right_file(tmp_path) and site.asked == ["all"]


def test_a_whole_partial_file_is_placed_without_a_request(site, tmp_path):
    interrupt(site, tmp_path)
    (tmp_path / "file.partial").write_bytes(CONTENT)
    get(site, tmp_path, sha256=SHA256)
    assert only_the_right_file(tmp_path) and site.asked == []


def test_a_killed_process_loses_at_most_a_block(site, tmp_path):
    site.breaks, site.stalls = lambda request: 70_000, lambda request: True
    program = (
        "import sys; from pathlib import Path\n"
        "from harness.data.fetch.download import RetryPolicy, download\n"
        f"download({site.url + '/file'!r}, Path({str(tmp_path / 'file')!r}), size=None, "
        "sha256=None, retry=RetryPolicy(), report=lambda done, total: print(done, flush=True))"
    )
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        assert any(line.strip() == "65536" for line in running.stdout)  # then the server stalls
    finally:
        running.kill()
        running.communicate()
    assert not (tmp_path / "file").exists()
    site.released.set()
    site.breaks, site.stalls, site.sent = lambda request: None, lambda request: False, 0
    get(site, tmp_path, sha256=SHA256)
    assert only_the_right_file(tmp_path)
    assert site.sent == 100_000 - 65_536
