"""A download ends in the right file or in a clear error with what came so far; never in a wrong file under the right name."""

import hashlib
import json
import random
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from harness.data.fetch.download import Pace, download
from harness.errors import DataError, HarnessError, MissingError, UsageError
from tests.support.unreliable_server import Site, served

CONTENT = random.Random(0).randbytes(100_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PACE = Pace(connections=3, piece=9_000, timeout=5.0, attempts=3, pause=0.001)


@pytest.fixture
def site():
    with served(Site({"/file": CONTENT})) as running:
        yield running


def get(site, folder, *, path="/file", size=None, sha256=None, pace=PACE):
    seen = []
    download(
        f"{site.url}{path}",
        folder / "file",
        size=size,
        sha256=sha256,
        pace=pace,
        report=lambda done, total: seen.append((done, total)),
    )
    return seen


def only_the_right_file(folder):
    assert [path.name for path in folder.iterdir()] == ["file"]
    return (folder / "file").read_bytes() == CONTENT


def test_a_file_comes_in_pieces_over_several_connections(site, tmp_path):
    seen = get(site, tmp_path, size=len(CONTENT), sha256=SHA256)
    assert only_the_right_file(tmp_path)
    assert len(site.asked) == 1 + 12  # the first byte, then 12 pieces of 9,000 bytes
    assert seen[0] == (0, 100_000) and seen[-1] == (100_000, 100_000)


def test_a_connection_that_breaks_again_and_again_is_taken_up_where_it_broke(site, tmp_path):
    site.breaks = lambda request: 1_000 if request > 1 else None
    get(site, tmp_path, sha256=SHA256)
    assert only_the_right_file(tmp_path)
    assert site.sent == 1 + len(CONTENT)  # no byte twice


def test_a_server_that_ignores_ranges_sends_the_whole_file(site, tmp_path):
    site.ranges = False
    get(site, tmp_path)
    assert only_the_right_file(tmp_path)
    assert len(site.asked) == 2


def test_a_server_that_ignores_ranges_and_breaks_off_is_asked_from_the_beginning(site, tmp_path):
    site.ranges, site.breaks = False, lambda request: 5_000 if request == 2 else None
    get(site, tmp_path)
    assert only_the_right_file(tmp_path)
    assert len(site.asked) == 3


def test_a_server_that_announces_more_than_it_sends_gives_no_file(site, tmp_path):
    site.ranges, site.length = False, lambda size: size + 10
    with pytest.raises(HarnessError, match="ended 10 bytes early"):
        get(site, tmp_path)
    assert not (tmp_path / "file").exists()


def test_a_server_that_announces_less_than_the_published_size_is_refused_before_anything_comes(
    site, tmp_path
):
    with pytest.raises(DataError, match="the server has 100,000 bytes, the published file 99,999"):
        get(site, tmp_path, size=99_999)
    assert list(tmp_path.iterdir()) == [] and len(site.asked) == 1


def test_without_a_length_and_without_anything_to_check_by_nothing_is_believed(site, tmp_path):
    site.ranges, site.length = False, lambda size: None
    with pytest.raises(DataError, match="does not say how long"):
        get(site, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_length_the_published_hash_decides(site, tmp_path):
    site.ranges, site.length = False, lambda size: None
    get(site, tmp_path, sha256=SHA256)
    assert only_the_right_file(tmp_path)
    (tmp_path / "file").unlink()
    site.breaks = lambda request: 50_000
    with pytest.raises(DataError, match="sent a file with sha256"):
        get(site, tmp_path, sha256=SHA256)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ranges", [True, False])
def test_wrong_bytes_are_deleted_and_never_get_the_name(site, tmp_path, ranges):
    site.ranges = ranges
    site.files["/file"] = CONTENT[:-1] + b"?"
    with pytest.raises(DataError, match=f"published is {SHA256}; what came was deleted"):
        get(site, tmp_path, size=len(CONTENT), sha256=SHA256)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_goes_away_leaves_what_came_and_the_next_sitting_asks_for_the_rest_only(
    site, tmp_path
):
    site.breaks = lambda request: None if request <= 6 else 0
    with pytest.raises(
        HarnessError, match="what came so far is kept, run the same command to go on"
    ):
        get(site, tmp_path, sha256=SHA256, pace=replace(PACE, connections=1))
    assert not (tmp_path / "file").exists()
    note = json.loads((tmp_path / "file.partial.json").read_text())
    assert sum(note["written"].values()) == 5 * 9_000
    site.breaks, site.sent = lambda request: None, 0
    get(site, tmp_path, sha256=SHA256)
    assert only_the_right_file(tmp_path)
    assert site.sent == 1 + 55_000


def test_a_stalled_connection_is_given_up_and_tried_again(site, tmp_path):
    site.stalls = lambda request: request in (3, 5)
    get(site, tmp_path, sha256=SHA256, pace=replace(PACE, timeout=0.2))
    assert only_the_right_file(tmp_path)


def test_a_server_that_never_answers_is_an_error_that_says_so(site, tmp_path):
    site.stalls = lambda request: request > 1
    with pytest.raises(HarnessError, match="the server does not answer"):
        get(site, tmp_path, pace=replace(PACE, timeout=0.1, attempts=2))
    assert not (tmp_path / "file").exists()


def test_a_file_that_changes_between_two_sittings_is_begun_anew(site, tmp_path):
    site.breaks = lambda request: None if request <= 4 else 0
    with pytest.raises(HarnessError):
        get(site, tmp_path)
    new = CONTENT[::-1]
    site.files["/file"], site.tag, site.breaks = new, '"two"', lambda request: None
    get(site, tmp_path, sha256=hashlib.sha256(new).hexdigest())
    assert (tmp_path / "file").read_bytes() == new


@pytest.mark.parametrize("heeds_if_range", [True, False])
def test_a_file_that_changes_while_it_is_fetched_is_begun_anew(site, tmp_path, heeds_if_range):
    site.heeds_if_range = heeds_if_range
    new = CONTENT[::-1]

    def change(request):
        if request == 5:
            site.files["/file"], site.tag = new, '"two"'

    site.breaks = change
    get(site, tmp_path)
    assert (tmp_path / "file").read_bytes() == new


def test_what_cannot_be_told_from_another_version_is_begun_anew(site, tmp_path):
    site.tag, site.breaks = None, lambda request: None if request <= 4 else 0
    with pytest.raises(HarnessError):
        get(site, tmp_path)
    new = CONTENT[::-1]
    site.files["/file"], site.breaks = new, lambda request: None
    get(site, tmp_path)
    assert (tmp_path / "file").read_bytes() == new


@pytest.mark.parametrize("note", ["", "{", "[]", '{"written": {"x": 1}}', '{"written": 3}'])
def test_a_damaged_note_means_to_begin_anew(site, tmp_path, note):
    site.breaks = lambda request: None if request <= 4 else 0
    with pytest.raises(HarnessError):
        get(site, tmp_path)
    (tmp_path / "file.partial.json").write_text(note)
    site.breaks = lambda request: None
    get(site, tmp_path, sha256=SHA256)
    assert only_the_right_file(tmp_path)


def test_a_note_that_promises_more_than_the_file_holds_is_not_believed(site, tmp_path):
    site.breaks = lambda request: None if request <= 6 else 0
    with pytest.raises(HarnessError):
        get(site, tmp_path)
    (tmp_path / "file.partial").write_bytes(b"")
    site.breaks = lambda request: None
    get(site, tmp_path)
    assert only_the_right_file(tmp_path)


def test_a_server_that_is_overloaded_is_asked_again(site, tmp_path):
    site.status = lambda request: 503 if request in (1, 3, 4) else None
    get(site, tmp_path, sha256=SHA256)
    assert only_the_right_file(tmp_path)


@pytest.mark.parametrize("code", [403, 404, 410])
def test_a_refusal_is_an_error_at_once(site, tmp_path, code):
    site.status = lambda request: code
    with pytest.raises(MissingError, match=f"the server answers {code}"):
        get(site, tmp_path)
    assert list(tmp_path.iterdir()) == [] and len(site.asked) == 1


def test_an_empty_file_is_a_file(site, tmp_path):
    site.files["/empty"], site.ranges = b"", False
    get(site, tmp_path, path="/empty", size=0)
    assert (tmp_path / "file").read_bytes() == b""


def test_a_machine_without_a_server_is_an_error_in_words(tmp_path):
    with pytest.raises(HarnessError, match="refused"):
        download(
            "http://127.0.0.1:9/file",
            tmp_path / "file",
            size=None,
            sha256=None,
            pace=PACE,
            report=lambda *_: None,
        )


def test_only_web_addresses_are_fetched(tmp_path):
    with pytest.raises(UsageError, match="only http and https"):
        download(
            "file:///etc/passwd",
            tmp_path / "file",
            size=None,
            sha256=None,
            pace=PACE,
            report=lambda *_: None,
        )


def test_random_misfortune_ends_in_the_right_file_or_in_none(tmp_path):
    for seed in range(25):
        dice = random.Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        chance = dice.choice([0.1, 0.5, 0.9])
        lock = threading.Lock()

        def unlucky(share, dice=dice, lock=lock):
            with lock:
                return dice.random() < share

        site = Site({"/file": CONTENT}, ranges=dice.random() < 0.7, tag=dice.choice([None, '"a"']))
        site.breaks = lambda request, unlucky=unlucky, chance=chance, dice=dice: (
            dice.randrange(9_000) if unlucky(chance) else None
        )
        site.status = lambda request, unlucky=unlucky: 503 if unlucky(0.1) else None
        with served(site):
            for _ in range(4):
                try:
                    get(site, folder, sha256=SHA256)
                except HarnessError:
                    assert not (folder / "file").exists()
                else:
                    assert only_the_right_file(folder)
                    break


def test_a_killed_process_loses_nothing_that_it_noted(site, tmp_path):
    site.stalls = lambda request: request > 8  # one for the size, seven pieces, and then silence
    program = (
        "import sys; from pathlib import Path; from harness.data.fetch.download import Pace, download\n"
        f"download({site.url + '/file'!r}, Path({str(tmp_path / 'file')!r}), size=None, sha256=None, "
        "pace=Pace(connections=2, piece=9000, timeout=60.0), report=lambda done, total: print(done, flush=True))"
    )
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        assert any(line.strip() == "63000" for line in running.stdout)
        # Both connections wait for a piece that does not come, and all that came is noted.
        while (
            len(site.asked) < 10
            or sum(json.loads((tmp_path / "file.partial.json").read_text())["written"].values())
            < 63_000
        ):
            time.sleep(0.01)
    finally:
        running.kill()
        running.wait()
    assert not (tmp_path / "file").exists()
    site.released.set()
    site.stalls, site.sent = lambda request: False, 0
    get(site, tmp_path, sha256=SHA256)
    assert only_the_right_file(tmp_path)
    assert site.sent == 1 + 37_000
