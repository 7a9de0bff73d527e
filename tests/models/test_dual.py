"""Dual encoders against transformers' own classes, and their preprocessing against the originals'.

The models are tiny and random; no weights of the hub are needed.
"""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from harness.capabilities import AttributeMatcher, Captioner, DualEncoder, PairScorer
from harness.checkpoints import Given, find_weights
from harness.cli.main import main
from harness.errors import CapabilityError, CheckpointError, UsageError
from harness.models.dual.preprocessing import ImageTransform, read_transform
from harness.registry import load_model
from tests.support.dual import WORDS, write_dual_encoder

CLASSES = {  # of transformers, which loads them where they are first used
    "clip": "CLIPModel",
    "metaclip_2": "MetaClip2Model",
    "siglip": "SiglipModel",
    "siglip2": "SiglipModel",  # of a fixed resolution
}


@pytest.fixture(scope="module", params=list(CLASSES))
def folder(request, tmp_path_factory):
    return write_dual_encoder(tmp_path_factory.mktemp("dual") / request.param, request.param)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def load(folder, needs=(DualEncoder,), **arguments):
    given = Given("dual", vocabulary=False, arguments=arguments)
    weights = find_weights(str(folder), task="ovad", data=None, given=given)
    return load_model(weights, needs=needs, device="cpu", dtype="float32")


def test_features_are_those_of_transformers(folder, rng):
    import transformers

    kind = getattr(transformers, CLASSES[folder.name])
    model, reference = load(folder), kind.from_pretrained(folder).eval()
    images = rng.integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    mean, std = (
        torch.tensor(values)[:, None, None] for values in (model._images.mean, model._images.std)
    )
    pixels = (torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - mean) / std
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(WORDS, padding="max_length", max_length=24, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        expected = reference(input_ids=ids, pixel_values=pixels)
    assert torch.allclose(model.encode_images(images), expected.image_embeds, atol=1e-6)
    assert torch.allclose(model.encode_texts(WORDS), expected.text_embeds, atol=1e-6)


def test_a_prompt_is_read_before_every_text_and_belongs_to_the_protocol(folder):
    plain, prompted = load(folder), load(folder, prompt="a ")
    assert torch.equal(prompted.encode_texts(["red circle"]), plain.encode_texts(["a red circle"]))
    assert "prompt 'a '" in prompted.protocol and "prompt" not in plain.protocol


def test_it_offers_what_a_dual_encoder_can_do(folder):
    assert isinstance(load(folder, (PairScorer, DualEncoder)), DualEncoder)
    with pytest.raises(CapabilityError, match="offers DualEncoder, AttributeMatcher, but no Cap"):
        load(folder, (Captioner,))


def test_siglip_2_reads_lower_case_and_every_text_has_the_full_length(tmp_path, monkeypatch):
    folder = write_dual_encoder(tmp_path, "siglip2")
    assert load(folder).token_ids(["A RED circle"]) != load(folder).token_ids(["a red circle"])
    pieces = json.loads((folder / "config.json").read_text())["text_config"]["vocab_size"]
    monkeypatch.setattr("harness.models.dual.load.GEMMA_PIECES", pieces)  # in place of 256,000
    model = load(folder)
    (row,) = model.token_ids(["A RED circle"])
    assert [row] == model.token_ids(["a red circle"]) and len(row) == 24
    assert "|24-tokens|lower-case" in model.protocol


@pytest.mark.parametrize(
    ("activation", "protocol"),
    [("quick_gelu", ("all", "max")), ("gelu", ("a", "max"))],
    ids=["as OpenAI's", "as OpenCLIP's"],
)
def test_attributes_are_compared_as_by_the_official_scripts(tmp_path, rng, activation, protocol):
    """Crops are squashed by a bilinear filter, whatever the model's own transform."""
    folder = write_dual_encoder(tmp_path, "clip")
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["hidden_act"] = activation
    (folder / "config.json").write_text(json.dumps(config))
    model = load(folder, (AttributeMatcher, DualEncoder))
    assert model.attribute_prompts == protocol
    assert model.protocol == "clip-cosine|48px|bilinear-squash|24-tokens"
    image = Image.fromarray(rng.integers(0, 256, (70, 90, 3), dtype=np.uint8))
    pixels = model.prepare(image)
    assert np.array_equal(pixels, np.asarray(image.resize((48, 48), Image.Resampling.BILINEAR)))
    batch = np.stack([pixels])
    cosines = model.similarity(batch, WORDS)
    expected = model.encode_images(batch) @ model.encode_texts(WORDS).T
    assert np.allclose(cosines, expected.numpy(), atol=1e-6)
    other = {"ovad-prompt": "photo", "ovad-pooling": "mean"}
    assert load(folder, (AttributeMatcher,), **other).attribute_prompts == ("photo", "mean")
    with pytest.raises(UsageError, match="ovad-pooling should be mean or max"):
        load(folder, (AttributeMatcher,), **{"ovad-pooling": "sum"})
    with pytest.raises(UsageError, match=r"prompt: changes nothing .* reads ovad-prompt"):
        load(folder, (AttributeMatcher,), prompt="a ")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("open_clip_config.json", {}, "is in the layout of open_clip .* take a repository that"),
        ("config.json", {"model_type": "siglip2"}, "variable resolution .* take one of fixed"),
        ("config.json", {"model_type": "bert"}, "of the type 'bert'; the family `dual` reads clip"),
    ],
)
def test_a_folder_of_another_layout_is_refused_with_what_to_do(tmp_path, name, content, reason):
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=reason):
        load(tmp_path)


@pytest.mark.parametrize(
    "size, resized, left, top",
    [
        ((335, 224), (335, 224), 56, 0),  # 55.5: transformers' own processor cuts at 55
        ((224, 333), (224, 333), 0, 54),  # 54.5: rounded half to even, to 54
        ((448, 300), (334, 224), 55, 0),
    ],
)
def test_the_centre_is_cropped_where_torchvision_crops_it(rng, size, resized, left, top):
    image = Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
    transform = ImageTransform(224, True, Image.Resampling.BICUBIC, (0.5,) * 3, (0.5,) * 3)
    whole = np.asarray(image.resize(resized, Image.Resampling.BICUBIC))
    assert np.array_equal(transform(image), whole[top : top + 224, left : left + 224])


def test_a_square_is_squashed_and_modes_become_rgb():
    transform = read_transform({}, side=8, siglip=True)
    assert transform(Image.new("L", (20, 10), 7)).tolist() == [[[7, 7, 7]] * 8] * 8
    assert (transform.mean, transform.crop) == ((0.5, 0.5, 0.5), False)


def test_an_image_processor_of_another_size_is_refused():
    with pytest.raises(CheckpointError, match="size is 384 px, but the model takes 224 px"):
        read_transform({"size": {"height": 384, "width": 384}}, side=224, siglip=True)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"resample": 9}, "folder/p.json: resample is 9, which is not a filter of Pillow"),
        ({"image_mean": 0.5}, "image_mean should be three numbers, but is 0.5"),
        ({"image_std": [0.5, 0.5, 0]}, "image_std should be positive"),
        ({"do_normalize": False}, "do_normalize is false, which is not supported"),
        ({"rescale_factor": 1 / 127.5}, r"rescale_factor is 0\.0078\d+; only 1/255 is supported"),
    ],
)
def test_an_image_processor_that_would_move_numbers_is_refused(config, reason):
    with pytest.raises(CheckpointError, match=reason):
        read_transform(config, side=8, siglip=True, where="folder/p.json")
    assert read_transform({"rescale_factor": 0.00392156862745098}, side=8, siglip=True).side == 8


def test_a_folder_without_its_tokenizer_is_refused(folder, tmp_path):
    """From nothing, transformers makes a tokenizer of a few pieces, and says nothing."""
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).symlink_to(folder / name)
    with pytest.raises(CheckpointError, match=r"holds no tokenizer|word pieces, but the model"):
        load(tmp_path)


def test_incomplete_weights_are_refused(folder, tmp_path):
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).symlink_to(folder / name)
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["num_hidden_layers"] = 3
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").symlink_to(folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="missing keys"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["finetuned.safetensors", "finetuned.pt", "pytorch_model.bin"])
def test_a_file_beside_other_weights_is_the_one_that_is_read(folder, tmp_path, name):
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    tensors = load_file(folder / "model.safetensors")
    halved = {name: tensor / 2 for name, tensor in tensors.items()}
    if name.endswith(".safetensors"):
        save_file(halved, tmp_path / name)
    else:
        torch.save({"state_dict": {f"module.{key}": value for key, value in halved.items()}},
                   tmp_path / name)  # fmt: skip
    network = load(tmp_path / name).network.state_dict()
    assert all(torch.equal(network[key], value) for key, value in halved.items())
    network = load(tmp_path / "model.safetensors").network.state_dict()
    assert all(torch.equal(network[key], value) for key, value in tensors.items())


def test_results_have_the_whole_name_of_a_folder(folder, tmp_path):
    (tmp_path / "clip-v1.5").symlink_to(folder)
    given = Given("dual", vocabulary=False)
    for path, name in (("clip-v1.5", "clip-v1.5"), ("clip-v1.5/model.safetensors", "model")):
        weights = find_weights(str(tmp_path / path), task="ovad", data=None, given=given)
        assert weights.name == name


def test_weights_in_a_file_are_read_strictly(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    tensors = load_file(folder / "model.safetensors")
    del tensors["logit_scale"]
    torch.save(tensors, tmp_path / "finetuned.pt")
    with pytest.raises(CheckpointError, match=r"finetuned\.pt: is not a complete .*1 missing keys"):
        load(tmp_path / "finetuned.pt")
    (tmp_path / "page.pt").write_text("<html>")
    with pytest.raises(CheckpointError, match=r"page\.pt: is an HTML page"):
        load(tmp_path / "page.pt")


def test_retrieval_and_attributes_end_to_end(folder, tmp_path):
    kind = "siglip" if folder.name == "siglip2" else folder.name
    command = ["run", "--model", "dual", "--checkpoint", str(folder), "--limit", "6"]
    command += ["--task", "coco-retrieval,ovad", "--split", "", "--out", str(tmp_path)]
    assert main(command) == 0
    record = json.loads((tmp_path / folder.name / "coco-retrieval.test.limit-6.json").read_text())
    assert record["protocol"].startswith(f"itc-only|k=256|karpathy|{kind}-cosine|48px|")
    assert record["breakdown"].keys() == {"outside_of_shortlist"}
    record = json.loads((tmp_path / folder.name / "ovad.box.limit-6.json").read_text())
    assert record["metrics"]["map"] > 0
    start = f"box-oracle|prompt-all|max-of-sentences|{kind}-cosine|48px|bilinear-squash|"
    assert record["protocol"].startswith(start)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--model", "blip"], "states its family (xvlm)"),
        (["--name", "mine"], "leave out --model and --name"),
        (["--model-args", "promt=a"], "xvlm knows shortlist, beams, prompt"),
        (["--model-args", "prompt=a"], "changes nothing of what xvlm-shapes does as Attribute"),
    ],
)
def test_a_flag_that_an_entry_does_not_obey_is_refused(flags, reason, tmp_path, capsys):
    command = ["run", "--task", "ovad", "--checkpoint", "xvlm-shapes", "--out", str(tmp_path)]
    assert main([*command, *flags]) == 2
    assert reason in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
