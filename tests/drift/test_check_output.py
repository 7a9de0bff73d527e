"""What `xvlm-eval check` prints, and what it loads for that."""

import json
from xml.etree import ElementTree

import pytest

from harness.cli.main import main
from harness.drift.anchor import check_all, render_checks
from harness.drift.settings import Gate
from tests.support.altered import copied, predict_otherwise
from tests.support.loaded import loaded_after


def test_every_format_says_the_same(baseline, only, tmp_path, capsys, monkeypatch):
    before = only("nlvr2.dev", "nlvr2.test")
    results = copied(baseline, tmp_path, "nlvr2.dev", "nlvr2.test")
    predict_otherwise(
        results, "nlvr2.dev", lambda predictions: {"dev-0-0-0": not predictions["dev-0-0-0"]}
    )
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    failed, output = {}, {}
    for format in ("terminal", "md", "json", "junit"):
        capsys.readouterr()
        failed[format] = main(
            ["check", str(results), "--baseline", str(before), "--format", format]
        )
        output[format] = capsys.readouterr().out
    assert set(failed.values()) == {1}
    assert output["terminal"].count("| nlvr2") == 0 and output["md"].count("| nlvr2") == 4
    assert [cell["verdict"] for cell in json.loads(output["json"])["cells"]] == [
        "drifted",
        "drifted",
        "identical",
        "identical",
    ]
    suite = ElementTree.fromstring(output["junit"])
    assert (suite.get("tests"), suite.get("failures")) == ("4", "2")
    assert [case.get("name") for case in suite if case.find("failure") is not None] == [
        "accuracy",
        "consistency",
    ]
    assert (tmp_path / "summary.md").read_text().count(
        "FAILED: of 4 cells"
    ) == 4  # each of the four runs appended


@pytest.mark.parametrize(
    ("format", "writer", "name"), [("json", json, "dumps"), ("junit", ElementTree, "tostring")]
)
def test_an_outcome_with_an_anchor_is_rendered_once(
    format, writer, name, baseline, tmp_path, monkeypatch
):
    anchored = copied(baseline, tmp_path / "anchored")
    copied(baseline, anchored / "anchor")
    checks = check_all(baseline, anchored, gate=Gate())
    assert checks.anchor is not None
    render, texts = getattr(writer, name), []

    def counting(*arguments, **options):
        texts.append(render(*arguments, **options))
        return texts[-1]

    monkeypatch.setattr(writer, name, counting)
    assert [render_checks(checks, format)] == texts


def test_neither_check_nor_diff_loads_torch(baseline, tmp_path):
    verbs = (
        ["check", str(baseline), "--baseline", str(copied(baseline, tmp_path))],
        ["power", "--baseline", str(baseline)],
        ["diff", str(baseline), str(baseline)],
    )
    for verb, loaded in zip(verbs, loaded_after(*verbs), strict=True):
        assert not loaded & {"torch", "transformers", "datasets"}, verb
