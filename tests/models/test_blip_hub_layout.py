"""BLIP's files in the layout of the hub, against the classes of transformers that write them."""

import numpy as np
import pytest
import torch

from harness.capabilities import Answerer, Captioner, PairScorer
from harness.checkpoints import Weights
from harness.registry import load_model
from tests.support.random_weights import PIECES, write_vocabulary

transformers = pytest.importorskip("transformers")
WIDTH, HEADS, SIDE = 32, 4, 64


@pytest.fixture
def saved(tmp_path):
    """Save a random model of a class of transformers as the hub has it, and load it as ours."""

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
