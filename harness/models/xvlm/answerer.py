"""X-VLM as an answerer of questions: it ranks a fixed list of answers by how likely its decoder is to write them."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from harness.engine.batching import padded, seat
from harness.engine.device import Device
from harness.engine.prefix_tree import AnswerTree
from harness.models.fusion.bert import PADDING, memory_mask
from harness.models.fusion.language_model import LanguageModel
from harness.models.fusion.layers import KV, select_rows
from harness.models.xvlm import costs
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.inputs import Inputs
from harness.models.xvlm.networks import answering_network
from harness.models.xvlm.preprocessing import QUESTION_WORDS, pre_question
from harness.workload import Cost, Workload

FIRST_READ = 8  # answers read at first, when most are still to be left out


class Ranking(NamedTuple):
    """Answers [Q, k] by index, best first, and the probability of each among the k."""

    answers: Tensor
    probabilities: Tensor


class Questions(NamedTuple):
    """Questions that have looked at their images: states [Q, T, d], and 1 for the tokens that are there, [Q, T] (best on the host)."""

    states: Tensor
    present: Tensor


class XVLMAnswerer:
    """Implements `harness.capabilities.Answerer` for `vqa` checkpoints.

    Two memories after one another: an image, read by its questions; and a question that has looked at its image, read by answers.
    """

    def __init__(self, checkpoint: Checkpoint, vocabulary: Path, device: Device) -> None:
        """Load the weights strictly. Raises CheckpointError where they, or the vocabulary, do not fit."""
        network = answering_network(checkpoint)
        self.inputs = Inputs(
            network.architecture.vision, network.architecture.text, vocabulary, device
        )
        self.network = self.inputs.placed(network)
        self.protocol = f"vqa|{self.inputs.side}px|bicubic|{QUESTION_WORDS}-words"
        self.device, self.provenance, self.prepare = (
            device.name,
            self.inputs.provenance,
            self.inputs.prepare,
        )
        self.memory_budget = self.inputs.device.memory_budget
        self._known = lru_cache(maxsize=4)(
            self.answer_tree
        )  # the answers of a benchmark are the same for all of its questions

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of questions."""
        return self.inputs.tokens(texts, pre_question)

    def answer(
        self,
        images: NDArray[np.uint8],
        questions: Sequence[str],
        image_of: NDArray[np.int64],
        *,
        answers: Sequence[str],
        shortlist: int,
    ) -> list[int]:
        """Return the best answer to each question, by index; the `shortlist` answers with the likeliest first words are read."""
        with self.inputs.device.computing():
            considered = self.consider(self.inputs.normalised(images), questions, image_of)
            found = best(
                self.network.text_decoder,
                considered,
                self._known(tuple(answers)),
                shortlist=shortlist,
            )
            return [int(answer) for answer in found]

    def cost(self, workload: Workload) -> Cost:
        """Return what it costs to answer questions, if the whole shortlist is read: as many prefixes as so many answers have on average."""
        sizes, tree = self.network.architecture, self._known(tuple(workload.choices))
        prefixes = (len(tree.token) - 1) * min(1.0, workload.shortlist / len(workload.choices))
        length = self.inputs.mean_length(workload.texts, pre_question)
        return costs.answering(
            sizes.vision,
            sizes.text,
            self.network.decoder_architecture,
            workload,
            length=length,
            prefixes=prefixes,
            chunk_sizes=self.inputs.device.chunk_sizes,
        )

    def answer_tree(self, answers: tuple[str, ...]) -> AnswerTree:
        """Return the tree of answers, each ended by [SEP]."""
        return AnswerTree.of(
            [self.inputs.tokenizer.ids(f"{answer}[SEP]") for answer in answers]
        ).to(self.inputs.device.torch)

    def consider(
        self, images: Tensor, questions: Sequence[str], image_of: NDArray[np.int64]
    ) -> Questions:
        """Let questions look at normalised images [M, 3, R, R]; question n is about image `image_of[n]`."""
        memory, device = (
            self.network.text_encoder.project_kv(self.network.vision_encoder(images)),
            self.inputs.device,
        )
        texts = self.inputs.tokens(questions, pre_question)  # while a GPU encodes
        present = padded(texts)[1]
        states = torch.zeros(
            *present.shape, self.network.architecture.text.width, device=images.device
        )
        for table in seat(texts, image_of, device.chunk_sizes):
            found = table.each(
                self.network.consider(
                    select_rows(memory, table.memories), device.send(table.ids), table.present
                )
            )
            states[device.send(table.texts), : table.ids.shape[-1]] = found.float()
        return Questions(states, present)


class Beginning(NamedTuple):
    """Questions as memories of the decoder, which has read [CLS]: what it recalls of it, and log-probabilities [Q, A] of first words."""

    memory: list[KV]
    mask: Tensor | None
    past: list[KV]
    first: Tensor

    def of(self, rows: Tensor) -> "Beginning":
        """Return some of the questions."""
        mask = None if self.mask is None else self.mask[rows]
        return Beginning(
            [part.of(rows) for part in self.memory],
            mask,
            [part.of(rows) for part in self.past],
            self.first[rows],
        )


def begin(decoder: LanguageModel, questions: Questions, answers: AnswerTree) -> Beginning:
    """Let the decoder look at questions and stand before the first word."""
    memory, mask = (
        decoder.bert.project_kv(questions.states),
        memory_mask(questions.present, questions.states.device),
    )
    start = torch.full((len(questions.states), 1, 1), answers.start, device=questions.states.device)
    written = decoder.bert.decode(start, memory, memory_mask=mask)
    words = decoder.log_probabilities(written.states[:, 0, 0])
    return Beginning(memory, mask, written.past, words[:, answers.first])


def first_words(decoder: LanguageModel, questions: Questions, answers: AnswerTree) -> Tensor:
    """Return the log-probability that an answer to a question begins with the first word of each answer, [Q, A]."""
    return begin(decoder, questions, answers).first


def rank(
    decoder: LanguageModel, questions: Questions, answers: AnswerTree, *, shortlist: int
) -> Ranking:
    """Rank the `shortlist` answers with the likeliest first words.

    An answer's score is the log-probability of its first word, and once more that of all its words up to [SEP]: the reference's own sum,
    in which the first word counts twice. Equal scores go to the lower index.
    """
    begun = begin(decoder, questions, answers)
    chosen = _likeliest(begun.first, shortlist).sort(dim=1).values
    score = 2 * begun.first.gather(1, chosen) + _later_words(decoder, begun, answers, chosen)
    best = score.sort(dim=1, descending=True, stable=True)
    return Ranking(chosen.gather(1, best.indices), best.values.softmax(-1))


def best(
    decoder: LanguageModel, questions: Questions, answers: AnswerTree, *, shortlist: int
) -> Tensor:
    """Return the first of the ranking, [Q], and read no more answers than it takes.

    Answers are read from the likeliest first word on, more and more at a time. Later words only make an answer less likely: as soon as
    the first word of the next one, counted twice, scores less than the best so far, no answer that is left can win.
    """
    begun = begin(decoder, questions, answers)
    chosen = _likeliest(begun.first, shortlist)
    bound = 2 * begun.first.gather(1, chosen)
    score = torch.full_like(bound, -torch.inf)
    looking = torch.arange(len(bound), device=bound.device)
    low, count = 0, FIRST_READ
    while low < chosen.shape[1] and len(looking):
        some = slice(low, low + count)
        begun = begun if len(looking) == len(begun.first) else begun.of(looking)
        score[looking, some] = bound[looking, some] + _later_words(
            decoder, begun, answers, chosen[looking, some]
        )
        low, count = low + count, 2 * count
        if low < chosen.shape[1]:
            going_on = bound[looking, low] >= score[looking].amax(1)
            looking, begun = looking[going_on], begun.of(going_on)
    winners = score == score.amax(1, keepdim=True)
    return answers.duplicate_of[chosen].masked_fill(~winners, len(answers.duplicate_of)).amin(1)


def _likeliest(first: Tensor, count: int) -> Tensor:
    """Return the answers with the likeliest first words [Q, count], best first; of equal ones the lower index."""
    return first.sort(dim=1, descending=True, stable=True).indices[:, :count]


def _later_words(
    decoder: LanguageModel, begun: Beginning, answers: AnswerTree, chosen: Tensor
) -> Tensor:
    """Return the log-probability of all words but the first of the answers `chosen` [Q, c], summed: one reading of their prefixes."""
    tree = answers.prefixes(chosen)
    mask = (1.0 - F.pad(tree.attention_mask, (1, 0), value=True).float())[
        :, None
    ] * PADDING  # every prefix goes on from [CLS]
    nodes = tree.nodes[:, None]
    written = decoder.bert.decode(
        answers.token[nodes],
        begun.memory,
        past=begun.past,
        position_ids=answers.depth[nodes],
        mask=mask,
        memory_mask=begun.mask,
    )
    words = torch.zeros(tree.scored.shape, device=mask.device)
    words[tree.scored] = decoder.log_likelihood(
        written.states[:, 0][tree.present], tree.row, tree.word
    )
    return words.sum(-1)
