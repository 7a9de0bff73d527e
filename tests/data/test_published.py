"""What is published about benchmark files: digests, and numbers of samples."""

import pytest

from harness.data.published import count_deviations, digest_deviation, digest_of
from harness.formats.folder import DataFolder
from harness.registry import find_task, official_counts
from tasks import TASKS
from tests.support.real_files import REAL


def test_every_split_of_a_task_has_an_official_number_of_samples():
    official = official_counts()
    assert [task for task in official if task in TASKS] == list(TASKS)
    for task, counts in ((task, official[task]) for task in TASKS):
        assert list(counts) == list(find_task(task).splits)


def test_a_digest_is_what_git_and_the_others_print(tmp_path):
    file = tmp_path / "hello"
    file.write_text("hello\n")
    assert digest_of(file, "git-blob") == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert digest_of(file, "md5") == "b1946ac92492d2347c6235b4d2611184"
    assert (
        digest_of(file, "sha256")
        == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    )


@pytest.mark.skipif(not REAL.is_dir(), reason="the annotations of lil-lab/nlvr are not here")
@pytest.mark.parametrize(("split", "file"), [("dev", "dev.json"), ("test", "test1.json")])
def test_the_real_annotations_of_nlvr2_have_the_published_hash_and_counts(tmp_path, split, file):
    (tmp_path / "nlvr2").mkdir()
    (tmp_path / "nlvr2" / file).symlink_to(REAL / file)
    task = find_task("nlvr2")
    assert digest_deviation(REAL / file, task.dataset.digests[file]) is None
    counts = task.counts(task.load(DataFolder(tmp_path, "files"), split))
    assert count_deviations(counts, task.dataset.counts[split]) == []
