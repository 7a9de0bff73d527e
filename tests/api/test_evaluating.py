"""Evaluating models, loaded ones and the user's own, and benchmarks of the user's own."""

import json
from pathlib import Path

import numpy as np
import pytest

from harness import compare, evaluate, load_model, load_task, read_results
from harness.cli.main import main
from harness.errors import CapabilityError, HarnessError, HarnessWarning, UsageError
from tasks.refcoco_plus import RefCOCOPlus
from tasks.vqav2 import VQAv2


class Centre:
    """A grounder that always points at the centre."""

    protocol, device, provenance = "centre|64px", "cpu", {}

    def __init__(self, box=(0.5, 0.5, 0.5, 0.5)):
        self.box, self.calls = box, 0

    def prepare(self, image):
        return np.asarray(image.convert("RGB").resize((64, 64)))

    def ground(self, images, expressions, image_of):
        self.calls += 1
        return np.tile(np.float32(self.box), (len(expressions), 1))


def test_the_result_is_that_of_the_command(grounder, tmp_path):
    results = evaluate(grounder, "refcoco+", split="val", limit=20, out=tmp_path / "api")
    run = ["run", "--task", "refcoco+", "--split", "val", "--limit", "20"]
    assert main([*run, "--out", str(tmp_path / "command")]) == 0
    (record,) = (tmp_path / "command").rglob("*limit-20.json")
    mine = tmp_path / "api" / record.relative_to(tmp_path / "command")
    assert json.loads(mine.read_text()) == json.loads(record.read_text())
    assert results[0].path == mine and not results.temporary
    assert results.metrics == json.loads(record.read_text())["metrics"]
    assert evaluate("xvlm-shapes", "refcoco+", split="val", limit=20).metrics == results.metrics


def test_nothing_is_written_but_where_the_results_say(grounder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = evaluate(grounder, load_task("refcoco+"), split="val", limit=5)
    assert not list(tmp_path.iterdir())
    assert "a temporary folder; save(folder) keeps them" in repr(results)
    folder = results.folder
    kept = results.save(tmp_path / "kept")
    assert {path.name for path in (tmp_path / "kept" / "xvlm-shapes").iterdir()} == {
        path.name for path in folder.glob("xvlm-shapes/[!.]*")
    }
    first = results[0]
    del results
    assert first.predictions  # one result keeps the folder
    del first
    assert not folder.exists()
    assert kept.metrics == read_results(tmp_path / "kept").metrics


def test_saving_replaces_no_other_result(grounder, tmp_path):
    evaluate(grounder, "refcoco+", split="val", limit=5).save(tmp_path)
    record = tmp_path / "xvlm-shapes" / "refcoco+.val.limit-5.json"
    record.write_text("{}")
    with pytest.raises(HarnessError, match="exists, and is another"):
        evaluate(grounder, "refcoco+", split="val", limit=5).save(tmp_path)
    assert record.read_text() == "{}"


def test_an_object_of_ones_own_is_evaluated_without_registration(tmp_path):
    results = evaluate(Centre(), "refcoco+", split="val", limit=20, out=tmp_path)
    (result,) = results
    assert result.protocol == "iou>=0.5|per-expression|centre|64px"
    assert dict(result.record.checkpoint, sha256="") == {
        "name": "Centre",
        "family": "own",
        "registered": False,
        "file": Path(__file__).name,
        "sha256": "",
    }
    assert result.record.settings == {"dtype": "unstated", "device": "cpu"}
    assert set(map(tuple, result.predictions.values())) == {(0.5, 0.5, 0.5, 0.5)}
    named = evaluate(Centre(), "refcoco+", split="val", limit=5, name="middle")
    assert named[0].checkpoint == "middle"
    with pytest.raises(UsageError, match="not a path"):
        evaluate(Centre(), "refcoco+", split="val", limit=5, name="a/b")


def test_what_an_object_holds_is_unknown_so_it_predicts_anew(tmp_path):
    given = {"split": "val", "limit": 5, "out": tmp_path}
    evaluate(Centre(), "refcoco+", **given)
    other = Centre((0.25, 0.25, 0.5, 0.5))
    (result,) = evaluate(other, "refcoco+", **given)
    assert other.calls and [0.25, 0.25, 0.5, 0.5] in result.predictions.values()
    again = Centre()
    (result,) = evaluate(again, "refcoco+", **given, resume=True)
    assert not again.calls and [0.25, 0.25, 0.5, 0.5] in result.predictions.values()


def test_the_source_of_a_class_without_a_file_is_that_of_its_methods():
    from harness.api.own_models import source_sha256

    def defined(body: str) -> type:
        names: dict = {"__name__": "notebook"}
        exec(f"class Mine:\n    def ground(self):\n        return {body}", names)
        return names["Mine"]

    assert source_sha256(defined("1")) == source_sha256(defined("1"))
    assert source_sha256(defined("1")) != source_sha256(defined("2"))


def test_the_members_that_an_object_lacks_are_named():
    class Half:
        protocol, device, provenance = "half", "cpu", {}

    with pytest.raises(CapabilityError, match=r"needs a Grounder: Half lacks prepare, ground;"):
        evaluate(Half(), "refcoco+", split="val", limit=5)


def test_a_task_of_ones_own_is_evaluated_without_registration(grounder):
    class Strict(RefCOCOPlus):
        name, protocol = "strict", "iou>=0.9"

    (result,) = evaluate(grounder, Strict, split="val", limit=5, name="shapes")
    assert (result.task, result.protocol.split("|")[0]) == ("strict", "iou>=0.9")
    assert result.benchmark.definition.name == "strict"


def test_weights_of_an_entry_are_not_recorded_for_a_task_that_has_others(grounder):
    model = load_model("xvlm-shapes", task="vqav2")
    with pytest.raises(CapabilityError, match=r"refcoco\+ needs a Grounder"):
        evaluate(model, "refcoco+", split="val", limit=5)
    retriever = load_model("xvlm-shapes", task="coco-retrieval")
    with pytest.raises(UsageError, match=r"xvlm-shapes has no weights for refcoco\+-weak"):
        evaluate(retriever, "refcoco+-weak", split="val", limit=5)
    with pytest.raises(UsageError, match=r"other weights for vqav2 .*task='vqav2'\)"):
        retriever.weights_for(VQAv2())
    (result,) = evaluate(retriever, "refcoco+-weak", split="val", limit=5, name="retriever")
    assert result.record.checkpoint["registered"] is False


def test_what_makes_a_metric_doubtful_is_a_warning():
    with pytest.warns(HarnessWarning, match="boxes reach out of their images"):
        evaluate(Centre((0.9, 0.9, 0.9, 0.9)), "refcoco+", split="val", limit=5)


def test_a_comparison_holds_the_verdicts_of_check(grounder, tmp_path, capsys):
    results = evaluate(grounder, "refcoco+", split="testB")
    same = compare(results)
    assert [(c.task, c.split, c.metric, c.verdict) for c in same] == [
        ("refcoco+", "testB", "accuracy", "identical")
    ]
    assert (same.failed, same.exit_code, same.failing) == (False, 0, [])
    worse = compare(evaluate(Centre(), "refcoco+", split="testB"), results.save(tmp_path / "base"),
                    checkpoint="xvlm-shapes")  # fmt: skip
    (cell,) = worse
    assert worse.failed and cell.failing and "protocol" in cell.reason
    assert capsys.readouterr().out == ""
    assert main(["check", str(tmp_path / "base")]) == 1  # a folder lacks the other baselines
    whole = compare(tmp_path / "base")
    assert whole.exit_code == 1 and capsys.readouterr().out.strip() == repr(whole)
    assert whole.table()["verdict"].tolist().count("missing") == 14
