"""X-VLM as an answerer of questions: it ranks a fixed list of answers by how likely its decoder is to write them."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from harness.inference.device import Device
from harness.inference.readers import seat
from harness.models.xvlm.bert import causal_mask, memory_mask
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.inputs import Inputs
from harness.models.xvlm.language import LanguageModel
from harness.models.xvlm.networks import answering_network
from harness.models.xvlm.preprocessing import QUESTION_WORDS, pre_question
from harness.models.xvlm.tokenizer import Tokens


class Ranking(NamedTuple):
    """Answers [Q, k] by index, best first, and the probability of each among the k."""

    answers: Tensor
    probabilities: Tensor


class Questions(NamedTuple):
    """Questions that have looked at their images: states [Q, T, d], and 1 for the tokens that are there, [Q, T]."""

    states: Tensor
    present: Tensor


class XVLMAnswerer:
    """Implements `harness.capabilities.Answerer` for `vqa` checkpoints.

    Two memories after one another: an image, read by its questions; and a question that has looked at its image, read by answers.
    """

    def __init__(self, checkpoint: Checkpoint, vocabulary: Path, device: Device) -> None:
        """Load the weights strictly. Raises CheckpointError where they, or the vocabulary, do not fit."""
        network = answering_network(checkpoint)
        self.inputs = Inputs(network.architecture.vision, network.architecture.text, vocabulary, device)
        self.network = self.inputs.placed(network)
        self.protocol = f"vqa|{self.inputs.side}px|bicubic|{QUESTION_WORDS}-words"
        self.device, self.made_of, self.prepare = device.name, self.inputs.made_of, self.inputs.prepare
        self._known = lru_cache(maxsize=4)(self.answer_tokens)  # the answers of a benchmark are the same for all of its questions

    def answer(
        self, images: NDArray[np.uint8], questions: Sequence[str], image_of: NDArray[np.int64], *, answers: Sequence[str], shortlist: int
    ) -> list[int]:
        """Return the best answer to each question, by index; the `shortlist` answers with the likeliest first words are read."""
        with self.inputs.device.computing():
            considered = self.consider(self.inputs.normalised(images), questions, image_of)
            ranking = rank(self.network.text_decoder, considered, self._known(tuple(answers)), shortlist=shortlist)
            best: list[int] = ranking.answers[:, 0].tolist()
            return best

    def answer_tokens(self, answers: tuple[str, ...]) -> Tokens:
        """Return the tokens of answers, each ended by [SEP]."""
        return self.inputs.tokenizer.batch([f"{answer}[SEP]" for answer in answers])

    def consider(self, images: Tensor, questions: Sequence[str], image_of: NDArray[np.int64]) -> Questions:
        """Let questions look at normalised images [M, 3, R, R]; question n is about image `image_of[n]`."""
        tokens = self.inputs.tokens(questions, pre_question)
        readers = seat(*tokens, image_of, memories=len(images))
        states = self.network.question(images, readers.ids.to(images.device), readers.present.to(images.device))
        return Questions(readers.each(states), tokens.present.to(images.device))


def first_words(decoder: LanguageModel, questions: Questions, answers: Tokens) -> Tensor:
    """Return the log-probability that an answer to a question begins with the first word of each answer, [Q, A]."""
    memory, mask = decoder.bert.remember(questions.states), memory_mask(questions.present)
    start = answers.ids[0, 0].to(questions.states.device).expand(len(questions.states), 1, 1)  # [CLS], with which all of them begin
    states = decoder.bert.look(decoder.bert.read(start), memory, memory_mask=mask)
    words = decoder.log_probabilities(states[:, 0, 0])
    return words[:, answers.ids[:, 1].to(words.device)]


def rank(decoder: LanguageModel, questions: Questions, answers: Tokens, *, shortlist: int) -> Ranking:
    """Rank the `shortlist` answers with the likeliest first words.

    An answer's score is the log-probability of its first word, and once more that of all its words up to [SEP]: the reference's own sum,
    in which the first word counts twice. Equal scores go to the lower index.
    """
    first = first_words(decoder, questions, answers)
    chosen = first.sort(dim=1, descending=True, stable=True).indices[:, :shortlist].sort(dim=1).values
    score = first.gather(1, chosen) + _likelihood(decoder, questions, answers, chosen)
    best = score.sort(dim=1, descending=True, stable=True)
    return Ranking(chosen.gather(1, best.indices), best.values.softmax(-1))


def _likelihood(decoder: LanguageModel, questions: Questions, answers: Tokens, chosen: Tensor) -> Tensor:
    """Return the log-probability of every word of the answers `chosen` [Q, k], summed, after questions as their memory."""
    memory, mask = decoder.bert.remember(questions.states), memory_mask(questions.present)
    ids, there = (part[chosen.cpu()].to(chosen.device) for part in answers)
    longest = int(there.sum(-1).max())
    ids, there = ids[:, :, :longest], there[:, :, :longest]
    causal = causal_mask(there[:, :, :-1])
    states = decoder.bert.look(decoder.bert.read(ids[:, :, :-1], causal), memory, causal, memory_mask=mask)
    words = decoder.log_probabilities(states).gather(-1, ids[:, :, 1:, None])[..., 0]
    return (words * there[:, :, 1:]).sum(-1)
