"""Inputs of the bench: text lengths and shared prefixes as in the benchmarks, random models."""

import pytest

from harness.bench import inputs
from harness.bench.models import SIZES, random_model, random_network
from harness.engine.device import choose_device
from harness.engine.prefix_tree import AnswerTree

CPU = choose_device("cpu", "float32")


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    return inputs.write_vocabulary(tmp_path_factory.mktemp("vocabulary") / "vocab.txt", 30522)


@pytest.fixture
def vocabulary(tmp_path):
    path = tmp_path / "vocab.txt"
    inputs.write_vocabulary(path, 600)
    return path


def test_a_vocabulary_has_the_size_of_the_models_and_contains_the_prompt(tmp_path):
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


def test_answers_share_as_many_prefixes_as_those_of_vqa(words):
    number = {word: index + 10 for index, word in enumerate(words)}
    answers = inputs.answers(3128, words)
    tokens = [[2, *(number[word] for word in answer.split()), 3] for answer in answers]
    assert len(set(answers)) == 3128
    assert sum(len(row) == 3 for row in tokens) == 2190  # 70 % are one word
    assert len({row[1] for row in tokens}) == 2390
    assert max(map(len, tokens)) == 7  # five words between [CLS] and [SEP]
    assert len(AnswerTree.of(tokens).token) == pytest.approx(3452, rel=0.01)


def test_a_random_model_is_the_same_at_every_call(vocabulary):
    first, second = (
        random_model("nlvr", SIZES["tiny"], vocabulary, CPU).network.state_dict() for _ in range(2)
    )
    assert all(first[name].equal(second[name]) for name in first)


def test_the_literal_network_has_the_engines_weights_before_prepacking(vocabulary):
    model = random_model("bbox", SIZES["tiny"], vocabulary, CPU)
    network = random_network("bbox", SIZES["tiny"], CPU)
    engine_weights = dict(model.network.named_parameters())
    weights = dict(network.named_parameters())
    assert "text_encoder.encoder.layer.0.attention.self.query.weight" in weights
    assert engine_weights.keys() <= weights.keys()
    assert all(weights[name].equal(engine_weights[name]) for name in engine_weights)
