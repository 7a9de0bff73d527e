"""`xvlm-eval bench`: the engine beside the literal algorithm, at a size for tests."""

import json
import re
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from harness.bench import products
from harness.bench.engine_calls import BatchSizes
from harness.bench.fixtures import Fixtures
from harness.bench.measure import Measurements
from harness.bench.models import SIZES
from harness.bench.profiling import time_call
from harness.bench.projection import project, project_times
from harness.bench.report import as_json, tables
from harness.bench.stages import STAGES
from harness.bench.throughput import Rate, _TrafficCounter
from harness.cli.main import main
from harness.engine.device import choose_device

CPU = choose_device("cpu", "float32")
NAMES = [
    "rerank",
    "retrieval",
    "text",
    "image",
    "vqa",
    "vqa-early-stop",
    "grounding",
    "nlvr2",
    "caption",
    "caption-decode",
    "rerank-albef",
    "rerank-blip",
]
KEYS = {
    "stage",
    "literal_s",
    "engine_s",
    "ratio",
    "floor",
    "max_diff",
    "rms_diff",
    "alike",
    "agree",
    "noise",
    "shift",
    "peak_mb",
    "product_share",
    "product_efficiency",
}
UNITS = ["image", "crop", "text", "pair", "question", "expression", "statement", "caption"]
PERFORMANCE = Path(__file__).parents[2] / "docs" / "performance.md"


@pytest.fixture(autouse=True)
def products_measured_for_an_instant(monkeypatch):
    monkeypatch.setattr(products, "ALONE_S", 0.001)


def bench(capsys, *arguments):
    code = main(["bench", "--size", "tiny", "--repeat", "1", *arguments])
    return code, capsys.readouterr()


def test_every_stage_is_measured_and_agrees(capsys):
    code, output = bench(capsys, "--json")
    content = json.loads(output.out)
    assert [row["stage"] for row in content["stages"]] == NAMES
    for row in content["stages"]:
        assert row.keys() == KEYS
        assert row["literal_s"] > 0 and row["engine_s"] > 0
        assert row["ratio"] == pytest.approx(row["literal_s"] / row["engine_s"])
        assert row["max_diff"] <= 1e-4 and row["alike"] and row["agree"]
        assert row["peak_mb"] is None or row["peak_mb"] >= 0
        assert 0 < row["product_share"] < 1 and row["product_efficiency"] > 0
        assert row["floor"] is None  # only base size has floors
    assert (code, content["agree"], content["size"], content["device"]) == (0, True, "tiny", "cpu")


def test_people_get_a_table_and_progress_beside_it(capsys):
    code, output = bench(capsys, "--stage", "text")
    assert code == 0
    assert "the same" in output.out and "ratio" in output.out
    assert output.err.startswith("text: 128 captions encoded")


def test_the_documented_table_has_the_titles_and_targets_of_the_stages():
    rows = re.findall(r"^\| `([\w-]+)`: (.+)$", PERFORMANCE.read_text(), flags=re.MULTILINE)
    cells = [(name, row.split(" | ")) for name, row in rows]
    assert [(name, row[0], float(row[4])) for name, row in cells] == [
        (stage.name, stage.title, stage.floor) for stage in STAGES
    ]


@pytest.mark.parametrize(
    ("arguments", "stages"),
    [
        (["--task", "RefCOCO+"], ["grounding"]),
        (["--task", "coco_caption", "--stage", "caption-decode"], ["caption-decode"]),
        (["--task", "ovad"], ["text", "image"]),
    ],
)
def test_a_task_has_its_stages(capsys, arguments, stages):
    _, output = bench(capsys, "--json", *arguments)
    assert [row["stage"] for row in json.loads(output.out)["stages"]] == stages


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stage", "capton"], "did you mean caption"),
        (["--task", "refcco+"], "did you mean refcoco+"),
        (["--task", "nlvr2", "--stage", "vqa"], "--stage vqa is not a stage of --task nlvr2"),
        (["--task", "refcoco+-weak"], "--task refcoco+-weak: no stage measures it"),
    ],
)
def test_an_unknown_name_is_refused(capsys, arguments, message):
    code, output = bench(capsys, *arguments)
    assert code == 2 and message in output.err


def test_different_results_are_reported_with_exit_code_1(capsys):
    """In bfloat16, the engine differs by more than 1e-4 from the literal side in float32."""
    code, output = bench(capsys, "--stage", "rerank", "--dtype", "bfloat16")
    assert code == 1 and "NOT THE SAME" in output.out


@pytest.fixture
def fixtures(tmp_path):
    return Fixtures(SIZES["tiny"], CPU, tmp_path)


def prepare(fixtures, name):
    (stage,) = (stage for stage in STAGES if stage.name == name)
    with CPU.computing():
        return stage.prepare(fixtures)


@contextmanager
def rows_per_call(module):
    """Collect the number of rows of each call of a module."""
    rows = []

    def count(_, arguments, output):
        last = -3 if arguments[0].ndim == 4 else -2
        rows.append(output.flatten(0, last).shape[0])

    hook = module.register_forward_hook(count)
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
def test_the_engine_encodes_an_image_once_and_the_literal_algorithm_once_per_text(
    fixtures, stage, kind, engine, literal
):
    comparison = prepare(fixtures, stage)
    sides = [
        (fixtures.model(kind).network, comparison.engine, engine),
        (fixtures.network(kind), comparison.literal, literal),
    ]
    for network, call, expected in sides:
        with rows_per_call(network.vision_encoder.patch_embed) as images:
            time_call(call, CPU)
        assert sum(images) == expected


def test_an_early_stop_scores_fewer_answers(fixtures):
    """Count the distributions over word pieces, without those of the 10 first tokens."""

    def distributions(stage):
        comparison = prepare(fixtures, stage)
        decoder = fixtures.model("vqa").network.text_decoder
        with rows_per_call(decoder.cls.predictions.transform) as rows:
            time_call(comparison.engine, CPU)
        return sum(rows) - 10

    assert distributions("vqa-early-stop") < distributions("vqa") / 2


def test_a_benchmark_takes_as_long_as_its_model_or_its_decoding():
    per_second = {"question": 447.793, "image": 50.0, "text": 2501.0, "pair": 64300.0}
    per_second |= dict.fromkeys(("statement", "caption", "expression", "crop"), 1e9)
    rates = [Rate(unit, number, 0.5, 0.5, None) for unit, number in per_second.items()]
    times = {time.benchmark: time for time in project_times(rates, decoded_per_second=100.0)}
    assert times["vqav2 test"].seconds == pytest.approx(1000)
    assert times["coco-retrieval test"].seconds == pytest.approx(100 + 10 + 100)
    assert times["ovad box"].seconds == 20.0  # 2,000 files


def test_the_traffic_of_an_operation_is_that_of_all_tensors_in_and_out():
    states, norm = torch.ones(4, 8), torch.nn.LayerNorm(8).requires_grad_(False)
    with _TrafficCounter() as joined:
        torch.cat([states, states])  # two in, one as large as both out
    with _TrafficCounter() as normed:
        norm(states)  # states, weight and bias in; states, four means and deviations out
    assert (joined.bytes, normed.bytes) == (4 * 128, 4 * (32 + 16 + 32 + 8))


def test_the_projection_can_be_tried_out_without_a_gpu(fixtures):
    sizes = BatchSizes(samples=12, captions=8, reranked_images=2, matrix=256)
    projection = project(fixtures, sizes)
    assert [rate.unit for rate in projection.rates] == UNITS
    for rate in projection.rates:
        assert rate.per_second > 0 and rate.compute_share > 0 and rate.traffic_share > 0
    conditions = {"size": "tiny", "device": "cpu", "dtype": "float32", "threads": 1, "repeat": 1}
    measurements = Measurements(conditions, {}, projection)
    assert [table.title for table in tables(measurements)][1:] == [
        "Throughput of the engine",
        "Benchmarks at their real sizes",
    ]
    content = as_json(measurements)["projection"]
    assert [row["what"] for row in content["rates"]] == UNITS
    assert content["benchmarks"][0].keys() == {"benchmark", "model_s", "decode_s", "seconds"}
