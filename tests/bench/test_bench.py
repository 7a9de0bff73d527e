"""`xvlm-eval bench`: the engine beside the literal algorithm, at a size for tests."""

import json
from contextlib import contextmanager

import pytest

from harness.bench.contest import timed
from harness.bench.lab import Lab
from harness.bench.measure import Findings
from harness.bench.models import SIZES
from harness.bench.projection import project, projected
from harness.bench.report import tables
from harness.bench.stages import STAGES
from harness.bench.throughput import Batch, Rate
from harness.cli.main import main
from harness.engine.device import choose_device

CPU = choose_device("cpu", "float32")


def bench(capsys, *arguments):
    code = main(["bench", "--size", "tiny", "--repeat", "1", *arguments])
    return code, capsys.readouterr()


def test_every_stage_is_measured_and_agrees(capsys):
    code, said = bench(capsys, "--json")
    found = json.loads(said.out)
    assert [row["stage"] for row in found["stages"]] == [
        "rerank", "retrieval", "text", "image", "vqa", "vqa-early-stop", "grounding", "nlvr2", "caption", "caption-decode",
    ]  # fmt: skip
    for row in found["stages"]:
        assert row["literal_s"] > 0 and row["engine_s"] > 0
        assert row["ratio"] == pytest.approx(row["literal_s"] / row["engine_s"])
        assert row["max_diff"] <= 1e-4 and row["alike"] and row["agree"]
        assert row["peak_mb"] is None or row["peak_mb"] >= 0
        assert row["floor"] is None  # of base size only
    assert (code, found["agree"], found["size"], found["device"]) == (0, True, "tiny", "cpu")


def test_people_get_a_table_and_progress_beside_it(capsys):
    code, said = bench(capsys, "--stage", "text")
    assert code == 0
    assert "the same" in said.out and "ratio" in said.out
    assert said.err.startswith("text: ")


@pytest.mark.parametrize(
    ("arguments", "stages"),
    [
        (["--task", "RefCOCO+"], ["grounding"]),
        (["--task", "coco_caption", "--stage", "caption-decode"], ["caption-decode"]),
        (["--task", "ovad"], ["text", "image"]),
    ],
)
def test_a_task_has_its_stages(capsys, arguments, stages):
    assert [
        row["stage"] for row in json.loads(bench(capsys, "--json", *arguments)[1].out)["stages"]
    ] == stages


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stage", "capton"], "did you mean caption"),
        (["--task", "refcoco"], "did you mean refcoco+"),
        (["--task", "nlvr2", "--stage", "vqa"], "--stage vqa: is no part of --task nlvr2"),
    ],
)
def test_what_does_not_exist_is_refused(capsys, arguments, message):
    code, said = bench(capsys, *arguments)
    assert code == 2 and message in said.err


def test_results_that_differ_are_told_and_end_with_one(capsys):
    """In bfloat16, the engine is not within 1e-4 of the literal algorithm, which stays in float32."""
    code, said = bench(capsys, "--stage", "rerank", "--dtype", "bfloat16")
    assert code == 1 and "NOT THE SAME" in said.out


@pytest.fixture
def lab(tmp_path):
    return Lab(SIZES["tiny"], CPU, tmp_path)


def held(lab, name):
    (stage,) = (stage for stage in STAGES if stage.name == name)
    with CPU.computing():
        return stage.contest(lab)


@contextmanager
def counted(module):
    """Collect how many rows each call of a module gets."""
    rows = []
    hook = module.register_forward_hook(
        lambda _, given, found: rows.append(
            found.flatten(0, -3 if given[0].ndim == 4 else -2).shape[0]
        )
    )
    yield rows
    hook.remove()


@pytest.mark.parametrize(
    ("stage", "kind", "engine", "literal"),
    [
        ("vqa", "vqa", 2, 10),
        ("grounding", "bbox", 2, 14),
        ("nlvr2", "nlvr", 10, 16),
        ("retrieval", "retrieval", 6, 6),
    ],
)
def test_the_engine_encodes_an_image_once_and_the_literal_algorithm_for_everything_asked_of_it(
    lab, stage, kind, engine, literal
):
    contest = held(lab, stage)
    networks = (lab.model(kind).network, lab.network(kind))
    for network, call, expected in zip(
        networks, (contest.engine, contest.literal), (engine, literal), strict=True
    ):
        with counted(network.vision_encoder.patch_embed) as images:
            timed(call, CPU)
        assert sum(images) == expected


def test_an_early_stop_reads_fewer_answers(lab):
    """What is read is counted by how often the decoder's output over words is asked for, the first words aside."""

    def words_asked_for(stage):
        contest = held(lab, stage)
        with counted(lab.model("vqa").network.text_decoder.cls.predictions.transform) as rows:
            timed(contest.engine, CPU)
        return sum(rows) - 10

    assert words_asked_for("vqa-early-stop") < words_asked_for("vqa") / 2


def test_a_benchmark_takes_what_its_parts_take_or_its_decoding():
    per_second = {
        "question": 447.793,
        "statement": 1e9,
        "caption": 1e9,
        "expression": 1e9,
        "crop": 1e9,
    }
    per_second |= {"image": 50.0, "text": 2501.0, "pair": 64300.0}
    rates = [Rate(what, number, 0.5, 0.5, None) for what, number in per_second.items()]
    seconds = {one.benchmark: one for one in projected(rates, decoded_per_second=100.0)}
    assert seconds["vqav2 test"].seconds == pytest.approx(1000)
    assert seconds["coco-retrieval test"].seconds == pytest.approx(100 + 10 + 100)
    assert seconds["ovad box"].seconds == 20.0  # 2,000 files


def test_the_projection_can_be_tried_out_without_a_gpu(lab):
    found = project(lab, Batch(samples=12, captions=8, looked_at=2, matrix=64))
    assert [rate.what for rate in found.rates] == [
        "image",
        "crop",
        "text",
        "pair",
        "question",
        "expression",
        "statement",
        "caption",
    ]
    assert all(
        rate.per_second > 0 and rate.compute_share > 0 and rate.traffic_share > 0
        for rate in found.rates
    )
    conditions = {"size": "tiny", "device": "cpu", "dtype": "float32", "threads": 1, "repeat": 1}
    assert [table.title for table in tables(Findings(conditions, {}, found))][1:] == [
        "Throughput of the engine",
        "Benchmarks at their real sizes",
    ]
