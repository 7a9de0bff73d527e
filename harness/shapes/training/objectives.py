"""Training objectives of the embedded model's heads: one per checkpoint."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.engine.device import Device
from harness.formats.prompts import sentences
from harness.models.fusion.encoded_texts import EncodedTexts
from harness.models.fusion.fused_texts import fused_cls, fused_tokens
from harness.models.fusion.tokenizer import Tokenizer, Tokens
from harness.models.xvlm.adapters import PROMPT
from harness.models.xvlm.heads import (
    AnsweringNetwork,
    CaptioningNetwork,
    FusedArchitecture,
    PairNetwork,
    RetrievalNetwork,
)
from harness.models.xvlm.preprocessing import pre_caption, pre_question
from harness.shapes.training.dataset import RenderedDataset, normalised
from harness.shapes.world.attributes import attributes
from harness.shapes.world.questions import Question, questions
from harness.shapes.world.scenes import Rng
from harness.shapes.world.sentences import captions
from harness.shapes.world.statements import statement

FEATURES = 64  # width of the projected features of retrieval
CPU = Device(torch.device("cpu"), "float32")
TEMPERATURE = 0.07  # initial temperature of the contrastive loss, as in X-VLM


class Objective(Protocol):
    """A network and the loss that it is trained to minimise."""

    @property
    def network(self) -> nn.Module: ...

    def loss(self, dataset: RenderedDataset, rows: Tensor, rng: Rng) -> Tensor:
        """Return the loss on the scenes `rows`; `rng` chooses the sentences about them."""
        ...


class RetrievalObjective:
    """Retrieval and attributes.

    A contrastive and a matching loss of scenes and captions, and a contrastive loss of objects and
    their attributes.
    """

    def __init__(self, sizes: FusedArchitecture, tokenizer: Tokenizer) -> None:
        self.network = RetrievalNetwork(sizes, feature_width=FEATURES)
        self._temperature = nn.Parameter(torch.tensor(TEMPERATURE))
        self.network.register_parameter("temp", self._temperature)
        self._tokenizer = tokenizer

    def loss(self, dataset: RenderedDataset, rows: Tensor, rng: Rng) -> Tensor:
        scenes = [dataset.scenes[row] for row in rows.tolist()]
        texts = [rng.choice(captions(scene, seed=f"{rng.random()}")) for scene in scenes]
        tokens = [self._tokenizer.ids(pre_caption(text)) for text in texts]
        images = self.network.vision_encoder(normalised(dataset.images[rows]))
        encoded = self.network.encode_texts(tokens, CPU)
        similarity = self.network.image_features(images) @ encoded.features.T
        pairs = torch.eye(len(rows), dtype=torch.bool)
        return (
            self._contrastive_loss(similarity, pairs)
            + self._matching_loss(images, encoded, similarity)
            + self._attribute_loss(dataset, rows, rng)
        )

    def _contrastive_loss(self, similarity: Tensor, positive: Tensor) -> Tensor:
        """Return the contrastive loss in both directions (X-VLM, equation 3).

        `positive` `[N, M]` marks the matching pairs, of which a row may have several.
        """
        logits = similarity / self._temperature.clamp(0.01, 0.5)
        losses = []
        for scores, mask in ((logits, positive), (logits.T, positive.T)):
            loss = torch.logsumexp(scores, 1) - torch.logsumexp(scores.masked_fill(~mask, -1e4), 1)
            losses.append(loss[mask.any(1)])
        return torch.cat(losses).mean()

    def _matching_loss(self, images: Tensor, texts: EncodedTexts, similarity: Tensor) -> Tensor:
        """Return the matching loss of the pairs and of hard negatives (X-VLM, equation 4)."""
        others = (
            similarity.detach().float().masked_fill(torch.eye(len(images), dtype=torch.bool), -1e4)
            / TEMPERATURE
        )
        wrong_text, wrong_image = (
            scores.softmax(1).multinomial(1)[:, 0] for scores in (others, others.T)
        )
        own = torch.arange(len(images))
        image, text = torch.cat([own, own, wrong_image]), torch.cat([own, wrong_text, own])
        kv = self.network.text_encoder.project_kv(images)
        logits = torch.empty(len(image), 2)
        for pack in texts.packs(text, image_of=image):
            matched = self.network.match(
                pack.fusion_input, pack.texts, kv.of_images(pack.texts.images)
            )
            logits[pack.texts.texts] = matched.float()
        return F.cross_entropy(logits, (torch.arange(len(image)) < len(own)).long())

    def _attribute_loss(self, dataset: RenderedDataset, rows: Tensor, rng: Rng) -> Tensor:
        """Return the contrastive loss of cropped objects and OVAD's sentences about attributes."""
        listed = attributes()
        objects = [dataset.cropped[row] for row in rows.tolist()]
        positive = torch.tensor(
            [[getattr(obj, a.property) == a.value for a in listed] for obj in objects]
        )
        texts = [
            rng.choice(sentences(attribute.name, attribute.is_has_att)) for attribute in listed
        ]
        encoded = self.network.encode_texts([self._tokenizer.ids(text) for text in texts], CPU)
        features = self.network.image_features(
            self.network.vision_encoder(normalised(dataset.crops[rows]))
        )
        similarity = features @ encoded.features.T
        # A classification per property: an object has one colour, shape, pattern and size.
        losses = []
        for name in dict.fromkeys(attribute.property for attribute in listed):
            columns = [
                number for number, attribute in enumerate(listed) if attribute.property == name
            ]
            logits = similarity[:, columns] / self._temperature.clamp(0.01, 0.5)
            classes = positive[:, columns].float().argmax(1)
            losses.append(F.cross_entropy(logits, classes))
        return self._contrastive_loss(similarity.T, positive.T) + torch.stack(losses).mean()


class VQAObjective:
    """Answers to questions, as next-token prediction."""

    PER_SCENE = 4  # questions

    def __init__(self, sizes: FusedArchitecture, tokenizer: Tokenizer) -> None:
        text = sizes.text
        decoder = replace(text, layers=1, fusion_layer=0, encoder_width=text.width)
        self.network = AnsweringNetwork(sizes, decoder)
        self._tokenizer = tokenizer

    def loss(self, dataset: RenderedDataset, rows: Tensor, rng: Rng) -> Tensor:
        drawn = [question for row in rows.tolist() for question in self._draw(dataset, row, rng)]
        tokens = [self._tokenizer.ids(pre_question(question.text)) for question in drawn]
        answers = self._tokenizer.batch([f"{question.answer}[SEP]" for question in drawn])
        encoder, decoder = self.network.text_encoder, self.network.text_decoder
        kv = encoder.project_kv(self.network.vision_encoder(normalised(dataset.images[rows])))
        image_of = torch.arange(len(rows)).repeat_interleave(self.PER_SCENE).tolist()
        states, present = fused_tokens(encoder, tokens, kv.of_images, image_of, CPU)
        questions_kv = decoder.bert.project_kv(states, present)
        decoded = decoder.bert.decode(answers.ids[:, None, :-1], questions_kv)
        return _next_token_loss(decoder.cls.predictions(decoded.states[:, 0]), answers)

    def _draw(self, dataset: RenderedDataset, row: int, rng: Rng) -> Sequence[Question]:
        """Return the questions about a scene, repeated where the scene has too few."""
        distinct = questions(dataset.scenes[row], seed=f"{rng.random()}")
        return [distinct[number % len(distinct)] for number in range(self.PER_SCENE)]


class NLVRObjective:
    """Truth of statements about pairs of scenes."""

    PER_PAIR = 4  # statements, half of them true if possible
    ATTEMPTS = 40

    def __init__(self, sizes: FusedArchitecture, tokenizer: Tokenizer) -> None:
        self.network = PairNetwork(sizes)
        self._share_keys_and_values()
        self._tokenizer = tokenizer

    def _share_keys_and_values(self) -> None:
        """Share keys and values between the layers of a pair, as the released models do."""
        layers = self.network.text_encoder.fusion_layers
        for even, odd in zip(layers[::2], layers[1::2], strict=True):
            odd.crossattention.self.key, odd.crossattention.self.value = (
                even.crossattention.self.key,
                even.crossattention.self.value,
            )

    def loss(self, dataset: RenderedDataset, rows: Tensor, rng: Rng) -> Tensor:
        pairs = rows.unflatten(0, (-1, 2))
        drawn = [self._draw(dataset, left, right, rng) for left, right in pairs.tolist()]
        tokens = [self._tokenizer.ids(pre_caption(text)) for group in drawn for text, _ in group]
        network, images_of = self.network, torch.arange(len(rows)).unflatten(0, (-1, 2))
        images = network.vision_encoder(normalised(dataset.images[rows]))
        kv = network.project_kv(images, images_of)
        pair_of = torch.arange(len(pairs)).repeat_interleave(self.PER_PAIR).tolist()
        cls = fused_cls(
            network.text_encoder,
            tokens,
            kv.of_pairs,
            pair_of,
            CPU,
        )
        truths = torch.tensor([[int(truth) for _, truth in group] for group in drawn])
        return F.cross_entropy(network.logits(cls), truths.flatten())

    def _draw(
        self, dataset: RenderedDataset, left: int, right: int, rng: Rng
    ) -> list[tuple[str, bool]]:
        """Return statements about a pair with their truth."""
        texts: dict[bool, list[str]] = {True: [], False: []}
        for _ in range(self.ATTEMPTS):
            candidate = statement(rng)
            truth = candidate.holds(dataset.scenes[left], dataset.scenes[right])
            texts[truth].append(candidate.text)
            if min(map(len, texts.values())) >= self.PER_PAIR // 2:
                break
        half = min(self.PER_PAIR // 2, len(texts[True]))
        return [(text, True) for text in texts[True][:half]] + [
            (text, False) for text in texts[False][: self.PER_PAIR - half]
        ]


class CaptioningObjective:
    """Captions after a prompt, as next-token prediction."""

    PER_SCENE = 2  # captions

    def __init__(self, sizes: FusedArchitecture, tokenizer: Tokenizer) -> None:
        self.network = CaptioningNetwork(sizes)
        self._tokenizer = tokenizer

    def loss(self, dataset: RenderedDataset, rows: Tensor, rng: Rng) -> Tensor:
        texts = [
            text
            for row in rows.tolist()
            for text in captions(dataset.scenes[row], seed=f"{rng.random()}")[: self.PER_SCENE]
        ]
        tokens = self._tokenizer.batch([f"{PROMPT}{pre_caption(text)}[SEP]" for text in texts])
        ids = tokens.ids.unflatten(0, (len(rows), -1))
        decoder = self.network.text_decoder
        images = decoder.bert.project_kv(
            self.network.vision_encoder(normalised(dataset.images[rows]))
        )
        states = decoder.bert.decode(ids[:, :, :-1], images).states
        return _next_token_loss(
            decoder.cls.predictions(states.flatten(0, 1)),
            tokens,
            skipped=len(self._tokenizer.ids(PROMPT)) - 1,
        )


def _next_token_loss(logits: Tensor, tokens: Tokens, *, skipped: int = 0) -> Tensor:
    """Return the loss of the tokens after the first `skipped`, from logits `[N, T - 1, V]`."""
    targets = tokens.ids.masked_fill(tokens.present == 0, -100)[:, 1:]
    return F.cross_entropy(
        logits[:, skipped:].flatten(0, 1).float(),
        targets[:, skipped:].flatten(),
        ignore_index=-100,
    )
