"""Inputs of the bench: as long as, and with as much in common as, those of the benchmarks."""

import pytest

from harness.bench import inputs
from harness.bench.models import SIZES, random_model, random_network
from harness.engine.device import choose_device
from harness.engine.prefix_tree import AnswerTree


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    return inputs.write_vocabulary(tmp_path_factory.mktemp("vocabulary") / "vocab.txt", 30522)


def test_a_vocabulary_has_as_many_pieces_as_the_model_and_the_prompt_among_them(tmp_path):
    words = inputs.write_vocabulary(tmp_path / "vocab.txt", 600)
    pieces = (tmp_path / "vocab.txt").read_text().splitlines()
    assert len(pieces) == len(set(pieces)) == 600
    assert pieces[:8] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "picture", "of"]
    assert words == pieces[8:]


@pytest.mark.parametrize(
    ("lengths", "mean"),
    [(inputs.COCO, 11.8), (inputs.VQA, 7.4), (inputs.NLVR2, 15.5), (inputs.REFCOCO, 5.0)],
)
def test_texts_are_as_long_as_those_of_the_benchmark(words, lengths, mean):
    tokens = [1 + len(text.split()) for text in inputs.texts(2000, lengths, words)]
    assert sum(tokens) / len(tokens) == pytest.approx(mean, abs=0.3)
    assert inputs.texts(2000, lengths, words) == inputs.texts(2000, lengths, words)


def test_answers_have_as_much_in_common_as_those_of_vqa(words):
    number = {word: index + 10 for index, word in enumerate(words)}
    answers = inputs.answers(3128, words)
    tokens = [[2, *(number[word] for word in answer.split()), 3] for answer in answers]
    assert len(set(answers)) == 3128
    assert sum(len(row) == 3 for row in tokens) == 2190  # 70 % are one word
    assert len({row[1] for row in tokens}) == 2390
    assert max(map(len, tokens)) == 7  # five words between [CLS] and [SEP]
    assert len(AnswerTree.of(tokens).token) == pytest.approx(3452, rel=0.01)


def test_a_random_model_is_the_same_at_every_call(tmp_path):
    inputs.write_vocabulary(tmp_path / "vocab.txt", 600)
    one, other = (
        random_model(
            "nlvr", SIZES["tiny"], tmp_path / "vocab.txt", choose_device("cpu", "float32")
        ).network.state_dict()
        for _ in range(2)
    )
    assert all(one[name].equal(other[name]) for name in one)


def test_the_literal_algorithm_has_the_weights_of_the_engine_as_they_were_before_it_settled(
    tmp_path,
):
    inputs.write_vocabulary(tmp_path / "vocab.txt", 600)
    device = choose_device("cpu", "float32")
    model = random_model("bbox", SIZES["tiny"], tmp_path / "vocab.txt", device)
    network, settled = (
        random_network("bbox", SIZES["tiny"], device),
        dict(model.network.named_parameters()),
    )
    weights = dict(network.named_parameters())
    assert "text_encoder.encoder.layer.0.attention.self.query.weight" in weights
    assert settled.keys() <= weights.keys()
    assert all(weights[name].equal(settled[name]) for name in settled)
