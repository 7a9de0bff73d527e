"""Answer questions about images: by ranking a list of answers, or by generating texts."""

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from harness.engine.answer_ranking import FIRST_TWICE, ScoringRule, best_answers
from harness.engine.beam_search import Beams, Hypothesis
from harness.engine.prefix_tree import AnswerTree
from harness.errors import DataError
from harness.models.fusion import decoding_costs
from harness.models.fusion.adapter import Adapter
from harness.models.fusion.answer_decoder import start_decoder
from harness.models.fusion.captioning import generate_captions
from harness.models.fusion.fused_texts import FusedTexts, fused_tokens
from harness.models.fusion.networks import AnsweringNetwork
from harness.models.fusion.preprocessing import Images
from harness.workload import Cost, Workload


class QuestionReader(Adapter[AnsweringNetwork]):
    """Fuse questions with their images."""

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of questions."""
        return self.runtime.fused_token_ids(texts, self.rule)

    def encode_questions(
        self, images: Images, questions: Sequence[str], image_of: NDArray[np.int64]
    ) -> FusedTexts:
        """Fuse questions with prepared or normalised images; n is about image `image_of[n]`."""
        encoder, device = self.network.text_encoder, self.runtime.device
        kv = encoder.project_kv(self.runtime.encode_images(images))
        tokens = self.token_ids(questions)  # while a GPU encodes
        return fused_tokens(encoder, tokens, kv.of_images, image_of, device)


class FusionAnswerer(QuestionReader):
    """Rank a fixed list of answers."""

    reads = ("answers", "shortlist")

    scoring: ScoringRule = FIRST_TWICE

    @cached_property
    def _tree(self) -> Callable[[tuple[str, ...]], AnswerTree]:
        # All questions of a benchmark have the same answers to choose from.
        return lru_cache(maxsize=4)(self.answer_tree)

    @property
    def method(self) -> str:
        return "vqa"

    def tied(self, network: AnsweringNetwork) -> Sequence[nn.Module]:
        """Return the map to the vocabulary: answers are scored many rows at a time."""
        return (network.text_decoder.cls.predictions.decoder,)

    def shortlist_for(self, collection: str) -> int | None:
        """Return how many candidates are ranked, where a user set it."""
        return self.settings.shortlist

    def answer(
        self,
        images: NDArray[np.uint8],
        questions: Sequence[str],
        image_of: NDArray[np.int64],
        *,
        answers: Sequence[str],
        shortlist: int,
    ) -> list[int]:
        """Return the best answer to each question, by index.

        Only the `shortlist` answers with the likeliest first tokens are scored.
        """
        with self.runtime.device.computing():
            questions_read = self.encode_questions(images, questions, image_of)
            tree = self._tree(tuple(answers))
            decoder = start_decoder(self.network.text_decoder, questions_read, tree, self.scoring)
            return [int(answer) for answer in best_answers(decoder, tree, shortlist=shortlist)]

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of answering where the whole shortlist is scored.

        The shortlist is taken to have as many prefixes as that many answers have on average.
        """
        tree = self._tree(tuple(workload.choices))
        share = min(1.0, workload.shortlist / len(workload.choices))
        return decoding_costs.answering(
            self.demand(workload), self.network.decoder_text, prefixes=share * (len(tree.token) - 1)
        )

    def answer_ids(self, answer: str) -> list[int]:
        """Return the decoder's first token, the word pieces of an answer, and [SEP]."""
        tokenizer = self.runtime.tokenizer
        return [tokenizer.begin_decoded, *tokenizer.piece_ids(answer), tokenizer.sep]

    def answer_tree(self, answers: tuple[str, ...]) -> AnswerTree:
        """Return the tree of answers on the device.

        Raises DataError for an answer that is too long for the decoder.
        """
        ids = [self.answer_ids(answer) for answer in answers]
        positions = self.network.decoder_text.positions
        for answer, tokens in zip(answers, ids, strict=True):
            if len(tokens) - 1 > positions:  # the last one is scored, and not read
                raise DataError(
                    f"an answer of the list has {len(tokens) - 1} tokens, the model reads "
                    f"{positions}: {answer!r:.80}..."
                )
        return AnswerTree.of(ids).to(self.runtime.device.torch)


class FusionAnswerGenerator(QuestionReader):
    """Generate answers in free words by beam search."""

    reads = ("answers", "beams")

    released_beams: ClassVar[Beams]

    @property
    def beams(self) -> Beams:
        """The beams of the released configuration, with what a user set."""
        return self.settings.beams_of(self.released_beams)

    def check_settings(self) -> None:
        self.settings.refuse_unfit(self.beams, prompt=1, vocabulary=len(self.runtime.tokenizer))

    @property
    def method(self) -> str:
        return "vqa, generated"

    @property
    def generation(self) -> str:
        return str(self.beams)

    def generate_answers(
        self, images: NDArray[np.uint8], questions: Sequence[str], image_of: NDArray[np.int64]
    ) -> list[str]:
        """Return an answer in free words to each question."""
        with self.runtime.device.computing():
            answers = self.generate(images, questions, image_of, self.beams)
            return [self.runtime.tokenizer.text(answer.tokens) for answer in answers]

    def generate(
        self,
        images: Images,
        questions: Sequence[str],
        image_of: NDArray[np.int64],
        beams: Beams,
    ) -> list[Hypothesis]:
        """Generate answers about prepared or normalised images, as to one question at a time.

        In a batch the official code attends to the padding of shorter questions too, so its answers
        depend on the batch; these are the ones to a question that is asked alone.
        """
        questions_read = self.encode_questions(images, questions, image_of)
        tokenizer = self.runtime.tokenizer
        return generate_captions(
            self.network.text_decoder,
            questions_read.states,
            mask=questions_read.present,
            prompt=[tokenizer.begin_decoded],
            end=tokenizer.sep,
            beams=beams,
        )

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of answers that all reach the maximum length."""
        return decoding_costs.generating_answers(
            self.demand(workload), self.network.decoder_text, beams=self.beams
        )
