"""BLIP's files in the layout of the hub, against the classes of transformers that write them."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from harness.capabilities import Answerer, AnswerGenerator, Captioner, PairScorer
from harness.checkpoints import Given, Weights, find_weights
from harness.engine.answer_ranking import score_later_tokens
from harness.engine.beam_search import Beams
from harness.errors import CheckpointError
from harness.models.fusion.answer_decoder import start_decoder
from harness.registry import load_model
from tests.support.random_weights import PIECES, write_vocabulary

WIDTH, HEADS, SIDE = 32, 4, 64


@pytest.fixture
def saved(tmp_path):
    """Save a random model of a class of transformers as the hub has it, and load it as ours."""
    import transformers

    def save(class_name, needs):
        config = transformers.BlipConfig(
            text_config={
                "vocab_size": len(PIECES) + 2,
                "hidden_size": WIDTH,
                "encoder_hidden_size": WIDTH,
                "intermediate_size": 48,
                "num_hidden_layers": 2,
                "num_attention_heads": HEADS,
                "max_position_embeddings": 40,
                "bos_token_id": len(PIECES),
            },
            vision_config={
                "hidden_size": WIDTH,
                "intermediate_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": HEADS,
                "image_size": SIDE,
                "patch_size": 16,
                "layer_norm_eps": 1e-6,
            },
            image_text_hidden_size=16,
        )
        torch.manual_seed(0)
        theirs = getattr(transformers, class_name)(config).eval()
        with torch.no_grad():  # the initial weights are too small to tell one state from another
            for parameter in theirs.parameters():
                parameter += 0.2 * torch.randn_like(parameter)
        theirs.save_pretrained(tmp_path)
        weights = Weights(
            "own",
            "blip",
            tmp_path / "model.safetensors",
            write_vocabulary(tmp_path / "vocab.txt"),
            configuration=tmp_path / "config.json",
        )
        return theirs, load_model(weights, needs=[needs], device="cpu", dtype="float32")

    return save


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.standard_normal((3, 3, SIDE, SIDE)).astype(np.float32))


def test_retrieval_equals_that_of_transformers(saved, images):
    theirs, ours = saved("BlipForImageTextRetrieval", PairScorer)
    ids = ours.token_ids(["two cats", "a dog", "grass"])
    encoded, states = ours.encode_images(images), ours.encode_texts(ids)
    scores = ours.rerank(encoded.states[0], states, torch.arange(3))
    for row, text in enumerate(ids):
        with torch.no_grad():
            text_ids = torch.tensor([text])
            cosine = theirs(text_ids, images, use_itm_head=False).itm_score[:, 0]
            text_ids[:, 0] = ours.runtime.tokenizer.begin_fused
            logits = theirs(text_ids, images[:1]).itm_score[0]
        assert torch.allclose(encoded.features @ states.features[row], cosine, atol=1e-5)
        assert torch.allclose(scores[row], logits[1], atol=1e-4)


def test_captions_have_the_logits_of_transformers(saved, images):
    theirs, ours = saved("BlipForConditionalGeneration", Captioner)
    ids = torch.tensor([[*ours.prompt_ids(), 7, 8]]).expand(3, -1)
    decoder = ours.network.text_decoder
    kv = decoder.bert.project_kv(ours.runtime.encode_images(images))
    logits = decoder.cls.predictions(decoder.bert.decode(ids[:, None], kv).states)[:, 0]
    with torch.no_grad():
        expected = theirs(pixel_values=images, input_ids=ids).logits
    assert torch.allclose(logits, expected, atol=1e-4)


def test_questions_have_the_states_of_transformers(saved, images):
    theirs, ours = saved("BlipForQuestionAnswering", Answerer)
    questions = ["what is it?", "where"]
    found = ours.encode_questions(images, questions, np.array([2, 0]))
    for row, (text, image) in enumerate(zip(ours.token_ids(questions), (2, 0), strict=True)):
        with torch.no_grad():
            memory = theirs.vision_model(images[image : image + 1]).last_hidden_state
            expected = theirs.text_encoder(
                torch.tensor([text]), encoder_hidden_states=memory
            ).last_hidden_state[0]
        assert torch.allclose(found.states[row, : len(text)], expected, atol=1e-4)


def test_answers_have_the_smoothed_losses_of_transformers(saved, images):
    """One question at a time: transformers ignores the mask of padded questions."""
    theirs, ours = saved("BlipForQuestionAnswering", Answerer)
    answers = ("a dog", "two", "grass is")
    tree = ours.answer_tree(answers)
    questions = ours.encode_questions(images, ["what is it?"], np.array([1]))
    start = start_decoder(ours.network.text_decoder, questions, tree, ours.scoring)
    every = torch.arange(len(answers))[None]
    scores = start.first_score + score_later_tokens(start, tree, every)
    for column, answer in enumerate(answers):
        ids = torch.tensor([ours.answer_ids(answer)])
        with torch.no_grad():
            logits = theirs.text_decoder(ids, encoder_hidden_states=questions.states).logits
        losses = torch.nn.functional.cross_entropy(
            logits[0, :-1], ids[0, 1:], label_smoothing=0.1, reduction="sum"
        )
        assert scores[0, column].item() == pytest.approx(-losses.item(), abs=1e-4)


def test_generated_answers_have_the_words_of_transformers(saved, images):
    """Greedily: its beam search has other rules about lengths than the official one."""
    theirs, ours = saved("BlipForQuestionAnswering", AnswerGenerator)
    tokenizer, greedy = ours.runtime.tokenizer, Beams(width=1, max_length=10, min_length=1)
    questions = ["what is it?", "where"]
    found = ours.generate(images, questions, np.array([2, 0]), greedy)
    for text, image, answer in zip(ours.token_ids(questions), (2, 0), found, strict=True):
        words = [tokenizer.begin_decoded]
        with torch.no_grad():
            memory = theirs.vision_model(images[image : image + 1]).last_hidden_state
            states = theirs.text_encoder(
                torch.tensor([text]), encoder_hidden_states=memory
            ).last_hidden_state
            while len(words) < greedy.max_length and words[-1] != tokenizer.sep:
                logits = theirs.text_decoder(
                    torch.tensor([words]), encoder_hidden_states=states
                ).logits[0, -1]
                words.append(int(logits.argmax()))
        assert answer.tokens == [word for word in words if word != tokenizer.sep]


@pytest.fixture
def folder(saved, tmp_path):
    """A folder of the hub with one file of weights, and the similarities by it."""
    saved("BlipForImageTextRetrieval", PairScorer)
    return tmp_path, similarities(tmp_path)


def similarities(path):
    given = Given("blip", name="own")
    weights = find_weights(str(path), task="coco-retrieval", data=None, given=given)
    model = load_model(weights, needs=[PairScorer], device="cpu", dtype="float32")
    images = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)
    texts = model.read_texts(["two cats", "a dog"])
    return model.read_images(images).features @ texts.features.T


def test_a_folder_is_read_whole_in_shards_or_as_pickles(folder):
    path, expected = folder
    tensors = load_file(path / "model.safetensors")
    (path / "model.safetensors").unlink()
    assert expected.std() > 1e-3
    torch.save(tensors, path / "pytorch_model.bin")
    assert torch.equal(similarities(path), expected)
    (path / "pytorch_model.bin").unlink()
    names = sorted(tensors)
    for number, some in enumerate((names[::2], names[1::2])):
        save_file({name: tensors[name] for name in some}, path / f"shard-{number}.safetensors")
    shard_of = {name: f"shard-{number % 2}.safetensors" for number, name in enumerate(names)}
    index = path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": shard_of}))
    assert torch.equal(similarities(path), expected)
    (path / "shard-1.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"shard-1\.safetensors: missing a shard"):
        similarities(path)
    index.write_text(json.dumps({"weight_map": {"a": "../other/shard.safetensors"}}))
    with pytest.raises(CheckpointError, match="to files beside it"):
        similarities(path)
    index.unlink()
    with pytest.raises(CheckpointError, match=r"holds no model\.safetensors or pytorch_model"):
        similarities(path)
