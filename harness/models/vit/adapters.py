"""ALBEF and BLIP as models of `harness.capabilities`: what their adapters have in common.

A family's class names its network, tokenizer, rules of texts and of ranking, and its protocol.
"""

from collections.abc import Container, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.capabilities import Gallery, Matches
from harness.engine.device import Device
from harness.engine.prefix_tree import AnswerTree
from harness.engine.shortlist import cosine_similarity
from harness.engine.two_stage_retrieval import EncodedImages, encode_gallery, rerank_gallery
from harness.metrics.pairs import PROTOCOLS
from harness.models.fusion import costs
from harness.models.fusion.answer_ranking import AnswerScoring, best_answers
from harness.models.fusion.encoded_texts import EncodedTexts
from harness.models.fusion.fused_texts import FusedTexts, fused_cls, fused_tokens
from harness.models.fusion.tokenizer import Tokenizer
from harness.models.preprocessing import Images
from harness.models.vit.checkpoint import Checkpoint
from harness.models.vit.networks import AnsweringNetwork, Network, PairNetwork, RetrievalNetwork
from harness.models.vit.runtime import Runtime, TextRule
from harness.workload import Cost, Workload

N = TypeVar("N", bound=Network)


class Adapter(Generic[N]):
    """What every adapter offers beside its capability (`harness.capabilities.Model`)."""

    family: ClassVar[str]
    kind: ClassVar[str]  # of the checkpoints
    purpose: ClassVar[str]
    resampling: ClassVar[str] = "bicubic"
    tokenizer: ClassVar[type[Tokenizer]] = Tokenizer
    rule: ClassVar[TextRule]

    def __init__(self, checkpoint: Checkpoint, vocabulary: Path, device: Device) -> None:
        """Load the weights strictly.

        Raises CheckpointError where they, or the vocabulary, do not fit; CapabilityError for a
        checkpoint with another head.
        """
        checkpoint.require(self.kind, self.purpose)
        network = checkpoint.fill(self.build(checkpoint))
        self.runtime = Runtime(
            network,
            self.tokenizer(vocabulary),
            device,
            differentiable=self.differentiable(network),
        )
        self.network: N = self.runtime.network
        self.device, self.provenance = device.name, self.runtime.provenance
        self.prepare, self.memory_budget = self.runtime.prepare, device.memory_budget
        parts = (self.family, self.method, f"{self.runtime.side}px", self.resampling, self.rule)
        self.protocol = "|".join(map(str, parts))

    @property
    def method(self) -> str:
        """Everything in the heads and in the rule of ranking that can move a number."""
        return self.kind

    def build(self, checkpoint: Checkpoint) -> N:
        """Return the network that the checkpoint fills."""
        raise NotImplementedError

    def differentiable(self, network: N) -> Sequence[nn.Module]:
        """Return the modules that gradients pass through."""
        return ()

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of texts as the model reads them."""
        return self.runtime.token_ids(texts, self.rule)


class FusionRetriever(Adapter[RetrievalNetwork]):
    """Shortlist pairs by the cosine of features, and rank them by image-text matching."""

    kind, purpose = "retrieval", "comparing images and texts"
    network_class: ClassVar[type[RetrievalNetwork]] = RetrievalNetwork
    ranking: ClassVar[str]
    """The score that a shortlist is ranked by, out of `harness.metrics.pairs.PROTOCOLS`."""

    @property
    def method(self) -> str:
        return f"itc, ranked by {self.ranking}"

    def build(self, checkpoint: Checkpoint) -> RetrievalNetwork:
        return self.network_class.of(checkpoint)

    def retrieve(
        self, gallery: Gallery, texts: Sequence[str], *, shortlist: int, wanted: Container[int]
    ) -> Iterator[Matches]:
        """Yield the matches of each image in `wanted`; their `itm` is the score of `ranking`.

        Each process encodes its own images, and all texts.
        """
        device, rank = self.runtime.device, PROTOCOLS[self.ranking]
        with device.computing():
            share = encode_gallery(gallery.images, self.read_images, device)
            images, encoded = share.gather(gallery), self.read_texts(texts)
        for matches in rerank_gallery(
            images, encoded, self.rerank, device, shortlist=shortlist, wanted=wanted
        ):
            yield matches._replace(itm=rank(matches.itc, matches.itm))

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of comparing images and texts."""
        network, device = self.network, self.runtime.device
        return costs.retrieval(
            network.vision,
            network.text,
            workload,
            length=self.runtime.mean_length(workload.texts, self.rule),
            features=network.vision_proj.out_features,
            item_bytes=device.storage_dtype.itemsize,
            chunk_sizes=device.chunk_sizes,
        )

    def read_images(self, images: NDArray[np.uint8]) -> EncodedImages:
        """Encode prepared images [M, R, R, 3]."""
        return self.encode_images(images)

    def read_texts(self, texts: Sequence[str]) -> EncodedTexts:
        """Encode all texts of a gallery."""
        return self.encode_texts(self.token_ids(texts))

    def encode_images(self, images: Images) -> EncodedImages:
        """Encode prepared or normalised images."""
        tokens = self.runtime.encode_images(images)
        return EncodedImages(states=tokens, features=self.network.image_features(tokens))

    def encode_texts(self, texts: Sequence[Sequence[int]]) -> EncodedTexts:
        """Encode texts given as token ids."""
        begin_fused = self.runtime.tokenizer.begin_fused
        return self.network.encode_texts(texts, self.runtime.device, begin_fused=begin_fused)

    def rerank(self, image: Tensor, texts: EncodedTexts, candidates: Tensor) -> Tensor:
        """Return the matching logits [n] of an image, tokens [S, C], and `candidates` [n]."""
        kv = self.network.text_encoder.project_kv(image[None])
        logits = torch.empty(len(candidates), 2, device=image.device)
        for pack in texts.packs(candidates):
            logits[pack.texts.texts] = self.network.match(pack.fusion_input, pack.texts, kv)
        return logits[:, 1]


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


class FusionAttributeMatcher(Adapter[RetrievalNetwork]):
    """Compare the features of images and sentences, as OVAD's scripts do; texts are not cleaned."""

    kind, purpose = "retrieval", "comparing images and sentences"
    network_class: ClassVar[type[RetrievalNetwork]] = RetrievalNetwork
    resampling = "bilinear"

    def __init__(self, checkpoint: Checkpoint, vocabulary: Path, device: Device) -> None:
        super().__init__(checkpoint, vocabulary, device)
        self.prepare = self.runtime.prepare_bilinear
        # All images of a benchmark are compared with the same sentences.
        self._features = lru_cache(maxsize=4)(self.sentence_features)

    @property
    def method(self) -> str:
        return "itc"

    def build(self, checkpoint: Checkpoint) -> RetrievalNetwork:
        return self.network_class.of(checkpoint)

    def similarity(
        self, images: NDArray[np.uint8], sentences: Sequence[str]
    ) -> NDArray[np.float32]:
        """Return the cosine of each image and sentence, [M, S]."""
        with self.runtime.device.computing():
            features = self.image_features(images)
            cosines = cosine_similarity(features, self._features(tuple(sentences))).cpu()
            result: NDArray[Any] = cosines.numpy()
            return result

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of comparing images and sentences."""
        return costs.attribute_matching(
            self.network.vision,
            self.network.text,
            workload,
            length=self.runtime.mean_length(workload.texts, self.rule),
            features=self.network.vision_proj.out_features,
            chunk_sizes=self.runtime.device.chunk_sizes,
        )

    def image_features(self, images: Images) -> Tensor:
        """Return unit vectors [M, f] of prepared or normalised images."""
        return self.network.image_features(self.runtime.encode_images(images))

    def sentence_features(self, sentences: tuple[str, ...]) -> Tensor:
        """Return unit vectors [S, f] of sentences."""
        return self.network.encode_features(self.token_ids(sentences), self.runtime.device)
