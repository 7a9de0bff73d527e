"""The package in `examples/`, installed as a stranger installs it, and used as its pages say.

`tests/stranger.py` does the same from an empty environment, with everything that takes long.
"""

import json
import re
import shlex
import shutil
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from harness import checkpoints
from harness.checkpoints import find_entry, find_weights
from harness.cli.main import main
from harness.errors import DataError, MissingError
from harness.formats.folder import open_folder
from harness.registry import find_task, load_model
from tests.support.example_package import EXAMPLES, PACKAGE, install_package, write_weights_and_data

PAGE = (EXAMPLES.parent / "docs" / "extending.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory):
    """The package in a folder on sys.path, with its metadata."""
    target = tmp_path_factory.mktemp("target")
    install_package(target)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(target))
        patch.setenv(checkpoints.INCLUDE, "")
        yield target
    for module in [name for name in sys.modules if name.startswith("xvlm_eval_clip")]:
        del sys.modules[module]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the weights and the data that the scripts write."""
    folder = tmp_path_factory.mktemp("stranger")
    write_weights_and_data(folder)
    return folder


@pytest.fixture(autouse=True)
def there(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv(checkpoints.INCLUDE, "weights/checkpoints.yaml")


def run(*words):
    return main(["run", *words, "--out", "runs"])


@pytest.mark.parametrize(("module", "limit"), [("clip", 50), ("refcoco_google", 40)])
def test_it_is_as_short_as_promised(module, limit):
    lines = (PACKAGE / "xvlm_eval_clip" / f"{module}.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) < limit


def test_list_shows_where_everything_comes_from(capsys):
    assert main(["list", "--format", "json"]) == 0
    listing = json.loads(capsys.readouterr().out)
    ours = {
        key: [row for row in rows if "xvlm-eval-clip 1.0" in row.values()]
        for key, rows in listing.items()
    }
    assert [row["task"] for row in ours["tasks"]] == ["labels", "refcoco-google"]
    assert [row["checkpoint"] for row in ours["checkpoints"]] == ["example-clip-b32"]
    (family,) = ours["families"]
    assert (family["family"], family["offers"]) == ("clip", "DualEncoder")
    tasks = family["tasks"].split()
    assert {"coco-retrieval", "ovad", "vlue-retrieval", "labels"} <= set(tasks)
    own = {row["checkpoint"]: row["from"] for row in listing["checkpoints"]}
    assert own["xvlm-shapes"] == "xvlm-eval"
    assert own["blip-random"] == "weights/checkpoints.yaml"


def test_its_clip_computes_what_transformers_computes(folder):
    import transformers

    given = checkpoints.Given("clip", vocabulary=False, arguments={"prompt": "a "})
    weights = find_weights("weights/clip", task="ovad", data=None, given=given)
    model = load_model(weights, needs=find_task("ovad").needs, device="cpu", dtype="float32")
    reference = transformers.CLIPModel.from_pretrained("weights/clip").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained("weights/clip")
    image = model.prepare(Image.effect_noise((60, 48), 80).convert("RGB"))
    mean, std = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
    pixels = torch.tensor((image / 255 - mean) / std).permute(2, 0, 1)[None].float()
    tokens = tokenizer(["a red circle", "a star"], padding=True, return_tensors="pt")
    with torch.inference_mode():
        expected = reference(pixel_values=pixels, **tokens)
    images = model.encode_images(np.stack([image]))
    assert torch.allclose(images, expected.image_embeds, atol=1e-6)
    texts = model.encode_texts(["red circle", "star"])
    assert torch.allclose(texts, expected.text_embeds, atol=1e-6)
    assert image.shape == (48, 48, 3) and "prompt 'a '" in model.protocol


def test_models_and_tasks_of_all_kinds_meet_in_one_table(capsys):
    clip = ("--model", "clip", "--checkpoint", "weights/clip")
    assert run("--task", "ovad", *clip, "--limit", "6") == 0
    assert run("--task", "flickr30k-retrieval", "--split", "val", *clip, "--limit", "6") == 0
    own = ("--data", "own")
    assert run("--task", "labels", *own, *clip) == 0
    assert run("--task", "labels", *own, "--checkpoint", "blip-random") == 0
    assert run("--task", "labels", *own, "--checkpoint", "albef-random") == 0
    shapes = ("--checkpoint", "xvlm-shapes", "--limit", "40")
    assert run("--task", "refcoco-google", "--split", "test", *own, *shapes) == 0
    capsys.readouterr()
    assert main(["table", "runs", "--layout", "all", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    values = {(row["checkpoint"], row["task"], row["metric"]): row for row in rows}
    assert {(name, task) for name, task, _ in values} == {
        ("clip (file)", "ovad"),
        ("clip (file)", "flickr30k-retrieval"),
        ("clip (file)", "labels"),
        ("blip-random", "labels"),
        ("albef-random", "labels"),
        ("xvlm-shapes", "refcoco-google"),
    }
    google = values["xvlm-shapes", "refcoco-google", "accuracy"]
    assert google["measured"] > 90 and google["n"] == "40 of 1398" and google["data"] == "files"
    labels = values["clip (file)", "labels", "accuracy"]
    assert labels["protocol"].startswith("best-of-all-labels|clip-cosine|48px|")
    assert main(["check", "runs", "--baseline", "runs"]) == 2


def test_an_entry_of_the_package_names_the_repository_that_holds_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    entry = find_entry("Example CLIP B32")
    assert entry.source.package == "xvlm-eval-clip 1.0" and entry.published[0].value == 50.12
    with pytest.raises(MissingError) as raised:
        find_weights("example-clip-b32", task="ovad", data=tmp_path)
    assert str(raised.value) == (
        f"{tmp_path}/checkpoints/example-clip-b32/clip-vit-base-patch32: missing CLIP ViT-B/32 of "
        "OpenAI, by the example family, and openai/clip-vit-base-patch32: as a repository of "
        "Hugging Face's hub is not in the hub's cache; --download gets it"
    )


def test_a_copy_below_the_data_folder_is_taken(folder, tmp_path):
    path = tmp_path / "checkpoints" / "example-clip-b32" / "clip-vit-base-patch32"
    path.parent.mkdir(parents=True)
    path.symlink_to(folder / "weights" / "clip")
    weights = find_weights("example-clip-b32", task="ovad", data=tmp_path)
    assert (weights.path, weights.family, weights.vocabulary) == (path, "clip", None)


def test_a_published_number_of_the_package_stands_by_its_own_protocol(tmp_path, capsys):
    assert main(["table", str(tmp_path), "--layout", "leaderboard", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    (row,) = (row for row in rows if row["checkpoint"] == "example-clip-b32")
    assert (row["published"], row["verdict"]) == (50.12, "not run")
    assert row["protocol"] == "itc-only|karpathy|raw captions|mixed precision"


def test_a_package_without_its_file_is_named(tmp_path, monkeypatch, capsys):
    (tmp_path / "empty_package.py").write_text("")
    info = tmp_path / "empty_package-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: empty-package\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[xvlm_eval.checkpoints]\nmine = empty_package\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert len(entry_points(group="xvlm_eval.checkpoints")) == 2
    assert main(["list"]) == 3
    assert "empty-package 2.0: its entry point 'mine'" in capsys.readouterr().err


def test_random_labels_are_right_by_chance_only(folder):
    """The data of the example has several labels, and every image is there."""
    lines = (folder / "own" / "labels" / "test.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert len({row["label"] for row in rows}) > 3 and len(rows) == len({r["id"] for r in rows})
    for row in rows:
        image = Image.open(folder / "own" / "labels" / "images" / row["image"])
        assert np.asarray(image).std() > 0


def blocks(language):
    """Return the code blocks of the page in a language."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, flags=re.M | re.S)
    return [content for name, content in fences if name == language]


def test_the_page_shows_the_package_as_it_is():
    (points,) = blocks("toml")
    own = tomllib.loads((PACKAGE / "pyproject.toml").read_text())
    assert tomllib.loads(points)["project"]["entry-points"] == own["project"]["entry-points"]
    assert blocks("python")[0] == (PACKAGE / "xvlm_eval_clip" / "clip.py").read_text()


def test_the_commands_of_the_page_end_in_what_it_says(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (content,) = blocks("yaml")
    (tmp_path / "mine.yaml").write_text(content)
    # What the two scripts write.
    written = {"make_weights": "weights", "make_data": "own"}
    lines = [line for block in blocks("") for line in block.splitlines()]
    for line in lines:
        program, *words = shlex.split(line) or [""]
        if program == "xvlm-eval":
            if "runs2" in words and not (tmp_path / "runs2").exists():
                for copy in ("runs2", "calm"):
                    shutil.copytree(tmp_path / "runs", tmp_path / copy)
            assert main(words) == 0, line
        elif program == "python":
            script, target = words
            assert (written[Path(script).stem], Path(script).parent.name) == (target, "examples")
            (tmp_path / target).symlink_to(folder / target)
        elif program == "pip":
            assert words == ["install", "./examples/xvlm_eval_clip"]
    shown = capsys.readouterr().out
    for text in ("clip (file) [runs2]", "tiny-clip", "exp2 (file)", "prompt 'a photo of '", "8.60"):
        assert text in shown
    assert sum(line.startswith("xvlm-eval ") for line in lines) == 14


def test_a_line_of_the_page_is_one_that_the_task_reads(tmp_path):
    images = tmp_path / "labels" / "images"
    images.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(images / "a.jpg")
    (line,) = blocks("json")
    (tmp_path / "labels" / "test.jsonl").write_text(line)
    (sample,) = find_task("labels").load(open_folder(tmp_path), "test")
    assert (sample.id, sample.images, sample.label) == (1, (images / "a.jpg",), "red circle")
    (tmp_path / "labels" / "test.jsonl").write_text(line.replace("label", "text"))
    with pytest.raises(DataError, match=r"test\.jsonl: is not a list of labelled images"):
        find_task("labels").load(open_folder(tmp_path), "test")


def test_the_tests_of_the_page_pass(tmp_path):
    tests = {}
    exec(blocks("python")[1], tests)  # in the folder with weights/
    tests["test_texts_are_encoded_as_by_transformers"]()
    tests["test_a_run_ends_in_a_record"](tmp_path)
