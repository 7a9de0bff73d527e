"""X-VLM as an answerer of questions: it ranks a fixed list of answers."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.engine.device import Device
from harness.engine.prefix_tree import AnswerTree
from harness.models.fusion.answer_ranking import best_answers
from harness.models.fusion.fused_texts import FusedTexts, fused_tokens
from harness.models.xvlm import costs
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.networks import answering_network
from harness.models.xvlm.preprocessing import QUESTION_WORDS, pre_question
from harness.models.xvlm.runtime import Images, Runtime
from harness.workload import Cost, Workload


class XVLMAnswerer:
    """Implements `harness.capabilities.Answerer` for `vqa` checkpoints."""

    def __init__(self, checkpoint: Checkpoint, vocabulary: Path, device: Device) -> None:
        """Load the weights strictly.

        Raises CheckpointError where they, or the vocabulary, do not fit.
        """
        self.runtime = Runtime(answering_network(checkpoint), vocabulary, device)
        self.network = self.runtime.network
        self.protocol = f"vqa|{self.runtime.side}px|bicubic|{QUESTION_WORDS}-words"
        self.device, self.provenance, self.prepare, self.memory_budget = self.runtime.interface
        # All questions of a benchmark have the same answers to choose from.
        self._tree = lru_cache(maxsize=4)(self.answer_tree)

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of questions."""
        return self.runtime.token_ids(texts, pre_question)

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
            encoded = self.encode_questions(images, questions, image_of)
            best = best_answers(
                self.network.text_decoder, encoded, self._tree(tuple(answers)), shortlist=shortlist
            )
            return [int(answer) for answer in best]

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of answering where the whole shortlist is scored.

        The shortlist is taken to have as many prefixes as that many answers have on average.
        """
        sizes, tree = self.network.architecture, self._tree(tuple(workload.choices))
        share = min(1.0, workload.shortlist / len(workload.choices))
        return costs.answering(
            sizes.vision,
            sizes.text,
            self.network.decoder_architecture,
            workload,
            length=self.runtime.mean_length(workload.texts, pre_question),
            prefixes=share * (len(tree.token) - 1),
            chunk_sizes=self.runtime.device.chunk_sizes,
        )

    def answer_tree(self, answers: tuple[str, ...]) -> AnswerTree:
        """Return the tree of answers, each ended by [SEP]."""
        tokenizer = self.runtime.tokenizer
        tree = AnswerTree.of([tokenizer.ids(f"{answer}[SEP]") for answer in answers])
        return tree.to(self.runtime.device.torch)

    def encode_questions(
        self, images: Images, questions: Sequence[str], image_of: NDArray[np.int64]
    ) -> FusedTexts:
        """Fuse questions with prepared or normalised images; n is about image `image_of[n]`."""
        encoder, device = self.network.text_encoder, self.runtime.device
        kv = encoder.project_kv(self.runtime.encode_images(images))
        tokens = self.token_ids(questions)  # while a GPU encodes
        return fused_tokens(encoder, tokens, kv.of_images, image_of, device)
