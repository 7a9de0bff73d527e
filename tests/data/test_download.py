"""A download ends in the right file or in a clear error, never in a wrong file under its name."""

import random
import threading
from dataclasses import replace

import pytest

from harness.data.fetch.download import BLOCK
from harness.errors import DataError, HarnessError, MissingError, UsageError
from tests.data.downloads import CONTENT, CUT, KEPT, RETRY, SHA256, get, only_the_right_file
from tests.support.unreliable_server import Site, served


@pytest.fixture
def site():
    with served(Site({"/file": CONTENT})) as running:
        yield running


def test_a_file_comes_in_one_request(site, tmp_path):
    reports = get(site, tmp_path, size=len(CONTENT), sha256=SHA256)
    assert only_the_right_file(tmp_path)
    assert site.asked == ["all"]
    assert [done for done, _ in reports] == sorted(done for done, _ in reports)
    assert reports[-1] == (100_000, 100_000)


def test_a_connection_that_breaks_again_and_again_is_resumed_each_time(site, tmp_path):
    site.breaks = lambda request: 30_000
    get(site, tmp_path, sha256=SHA256)
    assert only_the_right_file(tmp_path)
    starts = ["all", *(f"bytes={start}-" for start in (16_384, 32_768, 49_152, 65_536, 81_920))]
    assert site.asked == starts  # more failures than attempts, but each brought new bytes
    assert site.sent < len(CONTENT) + BLOCK * len(starts)


def test_redirects_are_followed_and_resumed(site, tmp_path):
    site.redirects["/here"] = "/there"
    site.redirects["/there"] = "/file"
    site.breaks = lambda request: CUT if request == 1 else None
    get(site, tmp_path, path="/here", sha256=SHA256)
    assert only_the_right_file(tmp_path)
    assert site.asked == ["all", f"bytes={KEPT}-"]


def test_a_server_that_ignores_ranges_is_asked_from_the_beginning(site, tmp_path):
    site.ranges, site.breaks = False, lambda request: CUT if request == 1 else None
    get(site, tmp_path)
    assert only_the_right_file(tmp_path)
    assert len(site.asked) == 2


def test_a_server_that_announces_more_than_it_sends_gives_no_file(site, tmp_path):
    site.ranges, site.length = False, lambda size: size + 10
    with pytest.raises(HarnessError, match="ended 10 bytes early"):
        get(site, tmp_path)
    assert not (tmp_path / "file").exists() and len(site.asked) == RETRY.attempts


def test_another_length_than_the_published_size_is_refused_before_anything_comes(site, tmp_path):
    with pytest.raises(DataError, match="the server has 100,000 bytes, the published file 99,999"):
        get(site, tmp_path, size=99_999)
    assert list(tmp_path.iterdir()) == [] and len(site.asked) == 1


def test_without_a_length_and_without_published_values_nothing_is_fetched(site, tmp_path):
    site.ranges, site.length = False, lambda size: None
    with pytest.raises(DataError, match="does not announce the length"):
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


def test_without_a_length_the_published_size_decides_and_bounds_the_body(site, tmp_path):
    site.ranges, site.length = False, lambda size: None
    get(site, tmp_path, size=len(CONTENT))
    assert only_the_right_file(tmp_path)
    (tmp_path / "file").unlink()
    with pytest.raises(DataError, match="sent 16,384 bytes, the published file has 10,000"):
        get(site, tmp_path, size=10_000)  # the other 83,616 bytes are not read
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ranges", [True, False])
def test_wrong_bytes_are_deleted_and_never_placed(site, tmp_path, ranges):
    site.ranges = ranges
    site.files["/file"] = CONTENT[:-1] + b"?"
    with pytest.raises(DataError, match=f"published is {SHA256}; the bytes received were deleted"):
        get(site, tmp_path, size=len(CONTENT), sha256=SHA256)
    assert list(tmp_path.iterdir()) == []


def test_a_stalled_connection_is_given_up_and_resumed(site, tmp_path):
    site.stalls, site.breaks = lambda request: request < 3, lambda request: CUT
    get(site, tmp_path, sha256=SHA256, retry=replace(RETRY, timeout=0.5))
    assert only_the_right_file(tmp_path)
    assert site.asked[:2] == ["all", f"bytes={KEPT}-"]


def test_a_server_that_never_answers_is_reported(site, tmp_path):
    site.stalls = lambda request: True
    with pytest.raises(HarnessError, match="the server does not answer"):
        get(site, tmp_path, retry=replace(RETRY, timeout=0.1, attempts=2))
    assert not (tmp_path / "file").exists()


def test_an_overloaded_server_is_asked_again(site, tmp_path):
    site.status = lambda request: {1: 503, 3: 429}.get(request)
    site.breaks = lambda request: CUT if request == 2 else None
    get(site, tmp_path, sha256=SHA256)
    assert only_the_right_file(tmp_path)
    assert site.asked == ["all", "all", f"bytes={KEPT}-", f"bytes={KEPT}-"]


def test_failures_without_new_bytes_end_the_download(site, tmp_path):
    site.status = lambda request: 503
    with pytest.raises(HarnessError, match="the server answers 503"):
        get(site, tmp_path)
    assert len(site.asked) == RETRY.attempts


@pytest.mark.parametrize("code", [403, 404, 410])
def test_a_refusal_is_an_error_at_once(site, tmp_path, code):
    site.status = lambda request: code
    with pytest.raises(MissingError, match=f"the server answers {code}"):
        get(site, tmp_path)
    assert list(tmp_path.iterdir()) == [] and len(site.asked) == 1


def test_an_empty_file_is_a_file(site, tmp_path):
    site.files["/empty"] = b""
    get(site, tmp_path, path="/empty", size=0)
    assert only_the_right_file(tmp_path, b"")


def test_a_folder_that_cannot_be_written_is_reported(site, tmp_path):
    (tmp_path / "file.partial").mkdir()
    with pytest.raises(HarnessError, match="cannot be written"):
        get(site, tmp_path)


def test_a_machine_without_a_server_is_an_error_in_words(tmp_path):
    with pytest.raises(HarnessError, match="Connection refused; run the same command to try again"):
        get(Site({}, url="http://127.0.0.1:9"), tmp_path)


def test_only_web_addresses_are_fetched(tmp_path):
    with pytest.raises(UsageError, match="only http and https"):
        get(Site({}, url="file:///etc"), tmp_path, path="/passwd")


def test_random_misfortune_ends_in_the_right_file_or_in_none(tmp_path):
    completed = 0
    for seed in range(25):
        rng = random.Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        chance = rng.choice([0.1, 0.5, 0.9])
        lock = threading.Lock()

        def unlucky(share, rng=rng, lock=lock):
            with lock:
                return rng.random() < share

        site = Site({"/file": CONTENT}, ranges=rng.random() < 0.7, tag=rng.choice([None, '"a"']))
        site.breaks = lambda request, unlucky=unlucky, chance=chance, rng=rng: (
            rng.randrange(60_000) if unlucky(chance) else None
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
                    completed += 1
                    break
    assert completed > 12
