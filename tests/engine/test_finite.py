"""NaN, as of numbers that overflow in 16 bits, ends a run: nothing is chosen by it in silence."""

import numpy as np
import pytest
import torch

from harness.engine import answer_ranking
from harness.engine.answer_ranking import FIRST_TWICE, best_answers
from harness.engine.beam_search import Beams, search
from harness.engine.encoded_gallery import EncodedGallery
from harness.engine.prefix_tree import AnswerTree
from harness.engine.two_stage_retrieval import rerank_gallery
from harness.errors import ModelError
from harness.models.fusion.answer_decoder import FusionAnswerDecoder
from harness.models.fusion.kv import CrossKV

NAN = float("nan")


def ranked(images, texts):
    images = torch.tensor(images)
    numbers = list(range(len(images)))
    gallery = EncodedGallery([range(len(images))], numbers, numbers, numbers, images)
    score = np.zeros_like
    return list(
        rerank_gallery(
            gallery,
            torch.tensor(texts),
            lambda images, candidates: score(candidates[0], dtype=np.float32),
            ranking="itm",
            shortlist=2,
            wanted=numbers,
        )
    )


def test_an_image_or_a_text_without_features_is_refused_and_not_left_out_of_all_shortlists():
    sound = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]
    assert [match.texts.tolist() for match in ranked(sound, sound)] == [[0, 2], [1, 2], [0, 1, 2]]
    with pytest.raises(ModelError, match=r"infinity for 1 of 3 images \(the first has index 1\)"):
        ranked([[1.0, 0.0], [NAN, 0.0], [0.6, 0.8]], sound)
    with pytest.raises(ModelError, match=r"for 2 of 3 texts \(the first has index 0\).*float32"):
        ranked(sound, [[float("inf"), 0.0], [0.0, 1.0], [NAN, NAN]])


def test_features_of_another_length_are_refused():
    """Their products are not cosines: a long vector would be on every shortlist."""
    sound = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]
    with pytest.raises(
        ModelError, match=r"images that are not .* index 1 has a norm of 5\).*unit_vec"
    ):
        ranked([[1.0, 0.0], [3.0, 4.0], [0.6, 0.8]], sound)
    with pytest.raises(ModelError, match=r"texts that are not .* index 2 has a norm of 0\.5\)"):
        ranked(sound, [[1.0, 0.0], [0.0, 1.01], [0.3, 0.4]])


def test_an_answer_without_a_score_is_refused(monkeypatch):
    first = torch.tensor([[-1.0, -1.5], [-1.0, NAN]])
    start = FusionAnswerDecoder(None, CrossKV(()), [], first, 2 * first, FIRST_TWICE)
    monkeypatch.setattr(
        answer_ranking, "score_later_tokens", lambda decoder, tree, chosen: torch.zeros(2, 2)
    )
    with pytest.raises(ModelError, match=r"1 of 2 questions \(the first has index 1\)"):
        best_answers(start, AnswerTree.of([[0, 3, 2], [0, 4, 2]]), shortlist=2)


def test_a_text_without_probabilities_is_refused():
    class Decoder:
        def next_log_probabilities(self):
            probabilities = torch.full((1, 1, 9), 1 / 9).log()
            probabilities[..., 4] = NAN
            return probabilities

    beams = Beams(width=2, max_length=5, min_length=1)
    with pytest.raises(ModelError, match="NaN or infinity for the next token of a text"):
        search(Decoder(), prompt=[1], end=2, beams=beams)
    with pytest.raises(ValueError, match="a prompt of 5 tokens in texts of at most 5"):
        search(Decoder(), prompt=[1] * 5, end=2, beams=beams)
