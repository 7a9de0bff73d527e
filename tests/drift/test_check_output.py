"""What `xvlm-eval check` prints, and what it loads for that."""

import json
from xml.etree import ElementTree

from harness.cli.main import main
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


def test_neither_check_nor_diff_loads_torch(baseline, tmp_path):
    verbs = (
        ["check", str(baseline), "--baseline", str(copied(baseline, tmp_path))],
        ["power", "--baseline", str(baseline)],
        ["diff", str(baseline), str(baseline)],
    )
    for verb, loaded in zip(verbs, loaded_after(*verbs), strict=True):
        assert not loaded & {"torch", "transformers", "datasets"}, verb
