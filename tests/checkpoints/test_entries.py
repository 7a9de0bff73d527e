"""Files of checkpoints: what they may say, and a user's own beside the one that is shipped."""

import os
from pathlib import Path

import pytest

from harness.checkpoints import INCLUDE, find_entry, find_weights, read_entries
from harness.errors import DataError, MissingError
from harness.files.paths import shipped_path
from harness.registry import official_counts
from harness.tables.paper import read_paper
from harness.tables.published import published_numbers

OWN = """
mine:
  title: Mine
  family: albef
  vocabulary: words.txt
  licence: none
  files:
    ovad: {path: w.pth, head: retrieval}
  published:
    - {task: ovad, split: box, metric: map, value: 1.5, source: "our paper, Table 1"}
"""


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[]", "should be an object"),
        ("a: 1", "a should be an object, but is 1"),
        ("a: {title: b}", "a has no 'family'"),
        ("a: {files: []}", "a.files should be an object"),
        ("a: {files: {t: {nonsense: 1}}}", "a.files.t has the unknown key 'nonsense'"),
        ("a: [", "cannot be read as YAML"),
        ("\x00", "cannot be read as YAML"),
        ("", "should be an object, but is null"),
    ],
)
def test_what_is_no_list_of_checkpoints_is_refused(tmp_path, content, problem):
    (tmp_path / "c.yaml").write_text(content)
    with pytest.raises(DataError) as caught:
        read_entries(tmp_path / "c.yaml")
    assert str(caught.value).startswith(f"{tmp_path}/c.yaml: {problem}")


def test_an_unknown_head_is_refused_by_its_line_when_the_file_is_read(tmp_path):
    (tmp_path / "c.yaml").write_text(OWN.replace("head: retrieval", "head: retreival"))
    with pytest.raises(DataError) as caught:
        read_entries(tmp_path / "c.yaml")
    assert str(caught.value) == (
        f"{tmp_path}/c.yaml, line 8: mine has weights for ovad with the unknown head 'retreival'; "
        "heads are pretrain, retrieval, bbox, vqa, nlvr, captioning, none"
    )


def test_a_family_of_a_package_may_have_heads_of_its_own(tmp_path):
    text = OWN.replace("head: retrieval", "head: detector").replace("family: albef", "family: owl")
    (tmp_path / "c.yaml").write_text(text)
    entry = read_entries(tmp_path / "c.yaml")["mine"]
    assert (entry.family, entry.files["ovad"].head) == ("owl", "detector")


def test_a_protocol_setting_is_refused_since_only_the_code_sets_the_protocol(tmp_path):
    shipped = shipped_path("checkpoints.yaml").read_text(encoding="utf-8")
    changed = shipped.replace("head: vqa,", "head: vqa, settings: {k_test: 64},", 1)
    (tmp_path / "c.yaml").write_text(changed, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_entries(tmp_path / "c.yaml")
    key = "x-vlm-base-16m.files.vqav2 has the unknown key 'settings'"
    assert str(caught.value) == f"{tmp_path}/c.yaml: {key}"


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A file of entries of the user's own, named twice."""
    path = tmp_path / "own.yaml"
    path.write_text(OWN)
    monkeypatch.setenv(INCLUDE, f"{path}{os.pathsep}{tmp_path / '..' / tmp_path.name / 'own.yaml'}")
    return path


def test_an_entry_of_ones_own_has_its_files_beside_it(own):
    with pytest.raises(MissingError) as raised:
        find_weights("mine", task="ovad", data=None)
    weights, vocabulary = raised.value.items
    assert weights == (
        f"{own.parent}/w.pth: missing the retrieval checkpoint of Mine; put it there (licence "
        "none), or name a file with --checkpoint PATH"
    )
    assert vocabulary == (
        f"{own.parent}/words.txt: missing the vocabulary of Mine; put it there, or write "
        f"`vocabulary: bert-base-uncased` in {own} for that of BERT"
    )
    for name in ("w.pth", "words.txt", "config.json"):
        (own.parent / name).write_text("{}")
    found = find_weights("mine", task="ovad", data=None)
    files = (found.path, found.vocabulary, found.configuration)
    assert [path.name for path in files] == ["w.pth", "words.txt", "config.json"]
    assert {path.parent for path in files} == {own.parent}


def test_numbers_among_arguments_need_no_quotes(own):
    arguments = "{beams: 1, repetition-penalty: 1.1, prompt: a photo of}"
    own.write_text(OWN.replace("head: retrieval", f"head: retrieval, arguments: {arguments}"))
    for name in ("w.pth", "words.txt"):
        (own.parent / name).write_text("")
    expected = {"beams": "1", "repetition-penalty": "1.1", "prompt": "a photo of"}
    assert find_weights("mine", task="ovad", data=None).arguments == expected
    own.write_text(OWN.replace("head: retrieval", "head: retrieval, arguments: {beams: true}"))
    with pytest.raises(DataError, match=r"ovad\.arguments\.beams should be .* but is true"):
        find_weights("mine", task="ovad", data=None)


def test_a_number_without_a_protocol_is_the_papers_for_x_vlm_only(own):
    def protocol():
        numbers = published_numbers(read_paper(official_counts()))
        (number,) = (number for number in numbers if number.model == "mine")
        return number.protocol

    assert protocol() == "not stated"
    own.write_text(OWN.replace("albef", "xvlm"))
    assert protocol() == read_paper(official_counts()).official["ovad"].protocols[0]


def test_a_file_of_entries_is_read_again_where_it_changed_or_another_folder_is_current(
    tmp_path, monkeypatch
):
    content = "{title: T, family: xvlm, licence: L, files: {nlvr2: {path: p.th, head: nlvr}}}"
    monkeypatch.setenv(INCLUDE, "mine.yaml")
    for folder, name in (("a", "first"), ("b", "second")):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        Path("mine.yaml").write_text(f"{name}: {content}\n")
        assert find_entry(name) is not None
    assert find_entry("first") is None
    Path("mine.yaml").write_text(f"third: {content}\n")
    os.utime("mine.yaml", ns=(1, 1))
    assert find_entry("third") is not None
