"""Answer questions and judge pairs of images, as ALBEF and BLIP do."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.engine.device import Device
from harness.engine.prefix_tree import AnswerTree
from harness.models.fusion import costs
from harness.models.fusion.answer_ranking import AnswerScoring, best_answers
from harness.models.fusion.fused_texts import FusedTexts, fused_cls, fused_tokens
from harness.models.preprocessing import Images
from harness.models.vit.adapter import Adapter
from harness.models.vit.checkpoint import Checkpoint
from harness.models.vit.networks import AnsweringNetwork, PairNetwork
from harness.workload import Cost, Workload


class FusionAnswerer(Adapter[AnsweringNetwork]):
    """Rank a fixed list of answers."""

    kind, purpose = "vqa", "answering questions"
    scoring: ClassVar[AnswerScoring]

    def __init__(self, checkpoint: Checkpoint, vocabulary: Path, device: Device) -> None:
        super().__init__(checkpoint, vocabulary, device)
        # All questions of a benchmark have the same answers to choose from.
        self._tree = lru_cache(maxsize=4)(self.answer_tree)

    def build(self, checkpoint: Checkpoint) -> AnsweringNetwork:
        return AnsweringNetwork(checkpoint.architecture)

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
            best = best_answers(
                self.network.text_decoder,
                self.encode_questions(images, questions, image_of),
                self._tree(tuple(answers)),
                shortlist=shortlist,
                scoring=self.scoring,
            )
            return [int(answer) for answer in best]

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of questions."""
        return self.runtime.fused_token_ids(texts, self.rule)

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of answering where the whole shortlist is scored.

        The shortlist is taken to have as many prefixes as that many answers have on average.
        """
        tree = self._tree(tuple(workload.choices))
        share = min(1.0, workload.shortlist / len(workload.choices))
        return costs.answering(
            self.network.vision,
            self.network.text,
            self.network.decoder_text,
            workload,
            length=self.runtime.mean_length(workload.texts, self.rule),
            prefixes=share * (len(tree.token) - 1),
            chunk_sizes=self.runtime.device.chunk_sizes,
        )

    def answer_ids(self, answer: str) -> list[int]:
        """Return the tokens of an answer, from the decoder's first one to [SEP]."""
        raise NotImplementedError

    def answer_tree(self, answers: tuple[str, ...]) -> AnswerTree:
        """Return the tree of answers on the device."""
        tree = AnswerTree.of([self.answer_ids(answer) for answer in answers])
        return tree.to(self.runtime.device.torch)

    def encode_questions(
        self, images: Images, questions: Sequence[str], image_of: NDArray[np.int64]
    ) -> FusedTexts:
        """Fuse questions with prepared or normalised images; n is about image `image_of[n]`."""
        encoder, device = self.network.text_encoder, self.runtime.device
        kv = encoder.project_kv(self.runtime.encode_images(images))
        tokens = self.token_ids(questions)  # while a GPU encodes
        return fused_tokens(encoder, tokens, kv.of_images, image_of, device)


class FusionPairReasoner(Adapter[PairNetwork]):
    """Judge statements about two images."""

    kind, purpose = "nlvr", "judging pairs of images"

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of statements."""
        return self.runtime.fused_token_ids(texts, self.rule)

    def judge(
        self, images: NDArray[np.uint8], statements: Sequence[str], images_of: NDArray[np.int64]
    ) -> list[bool]:
        """Return whether each statement is true of its two images, `images_of` [N, 2].

        A tie of the logits counts as false, as in the references' argmax.
        """
        with self.runtime.device.computing():
            logits = self.logits(images, statements, images_of)
            return [bool(true > false) for false, true in logits.tolist()]

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of judging statements."""
        return costs.pair_reasoning(
            self.network.vision,
            self.network.text,
            workload,
            length=self.runtime.mean_length(workload.texts, self.rule),
            chunk_sizes=self.runtime.device.chunk_sizes,
        )

    def logits(
        self, images: Images, statements: Sequence[str], images_of: NDArray[np.int64]
    ) -> Tensor:
        """Return logits (false, true) [N, 2] for prepared or normalised images."""
        network, device = self.network, self.runtime.device
        pairs, pair_of = np.unique(images_of, axis=0, return_inverse=True)
        kv = network.project_kv(self.runtime.encode_images(images), torch.from_numpy(pairs))
        tokens = self.token_ids(statements)  # while a GPU encodes
        cls = fused_cls(network.text_encoder, tokens, kv.of_pairs, pair_of.reshape(-1), device)
        return network.logits(cls).cpu()
