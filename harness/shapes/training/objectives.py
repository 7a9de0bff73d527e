"""What each head of the embedded model learns, and from what: one course per checkpoint, all of them begun with the grounding weights."""

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
from harness.models.xvlm.heads import (
    AnsweringNetwork,
    CaptioningNetwork,
    FusedArchitecture,
    PairNetwork,
    RetrievalNetwork,
)
from harness.models.xvlm.preprocessing import pre_caption, pre_question
from harness.shapes.training.dataset import Scenery, normalised
from harness.shapes.world.attributes import attributes
from harness.shapes.world.questions import Asked, questions
from harness.shapes.world.scenes import Dice
from harness.shapes.world.sentences import captions
from harness.shapes.world.statements import statement

PROMPT = "a picture of "
FEATURES = 64  # width of the features that retrieval compares
CPU = Device(torch.device("cpu"), "float32")
TEMPERATURE = 0.07  # of the contrastive loss at the beginning (X-VLM's own)


class Course(Protocol):
    """A network and what it is taught."""

    @property
    def network(self) -> nn.Module: ...

    def loss(self, scenery: Scenery, rows: Tensor, dice: Dice) -> Tensor:
        """Return the loss on the scenes `rows`; `dice` decides what is said of them."""
        ...


def rows_of(tokens: Tokens, groups: int) -> tuple[Tensor, Tensor]:
    """Return ids and presence as tables [groups, n, T] of texts that come group by group."""
    return tokens.ids.unflatten(0, (groups, -1)), tokens.present.unflatten(0, (groups, -1))


class Comparing:
    """Retrieval and attributes: scenes with captions and objects with sentences, told apart by contrast, then matched closely."""

    def __init__(self, sizes: FusedArchitecture, tokenizer: Tokenizer) -> None:
        self.network = RetrievalNetwork(sizes, feature_width=FEATURES)
        self._temperature = nn.Parameter(torch.tensor(TEMPERATURE))
        self.network.register_parameter("temp", self._temperature)
        self._tokenizer = tokenizer

    def loss(self, scenery: Scenery, rows: Tensor, dice: Dice) -> Tensor:
        scenes = [scenery.scenes[row] for row in rows.tolist()]
        said = [dice.pick(captions(scene, seed=f"{dice.share()}")) for scene in scenes]
        tokens = [self._tokenizer.ids(pre_caption(text)) for text in said]
        seen = self.network.vision_encoder(normalised(scenery.images[rows]))
        texts = self.network.encode_texts(tokens, CPU)
        similarity = self.network.image_features(seen) @ texts.features.T
        same = torch.eye(len(rows), dtype=torch.bool)
        return (
            self._contrast(similarity, same)
            + self._matching(seen, texts, similarity)
            + self._attributes(scenery, rows, dice)
        )

    def _contrast(self, similarity: Tensor, right: Tensor) -> Tensor:
        """Return how improbable the right partners are, both ways (X-VLM, equation 3; several may be right)."""
        logits = similarity / self._temperature.clamp(0.01, 0.5)
        ways = ((logits, right), (logits.T, right.T))
        losses = [
            torch.logsumexp(way, 1) - torch.logsumexp(way.masked_fill(~true, -1e4), 1)
            for way, true in ways
        ]
        return torch.cat(
            [loss[true.any(1)] for loss, (_, true) in zip(losses, ways, strict=True)]
        ).mean()

    def _matching(self, seen: Tensor, texts: EncodedTexts, similarity: Tensor) -> Tensor:
        """Return the loss of telling each pair from the likeliest wrong ones (X-VLM, equation 4)."""
        others = (
            similarity.detach().float().masked_fill(torch.eye(len(seen), dtype=torch.bool), -1e4)
            / TEMPERATURE
        )
        wrong_text, wrong_image = (
            part.softmax(1).multinomial(1)[:, 0] for part in (others, others.T)
        )
        own = torch.arange(len(seen))
        image, text = torch.cat([own, own, wrong_image]), torch.cat([own, wrong_text, own])
        kv = self.network.text_encoder.project_kv(seen)
        logits = torch.empty(len(image), 2)
        for pack in texts.packs(text, image_of=image):
            matched = self.network.match(
                pack.fusion_input, pack.texts, kv.of_images(pack.texts.images)
            )
            logits[pack.texts.texts] = matched.float()
        return F.cross_entropy(logits, (torch.arange(len(image)) < len(own)).long())

    def _attributes(self, scenery: Scenery, rows: Tensor, dice: Dice) -> Tensor:
        """Return the contrastive loss of single objects and OVAD's own sentences for their attributes."""
        asked = attributes()
        things = [scenery.cropped[row] for row in rows.tolist()]
        has = torch.tensor(
            [[getattr(thing, a.property) == a.value for a in asked] for thing in things]
        )
        said = [dice.pick(sentences(attribute.name, attribute.is_has_att)) for attribute in asked]
        tokens = [self._tokenizer.ids(text) for text in said]
        text_features = self.network.encode_texts(tokens, CPU).features
        features = self.network.image_features(
            self.network.vision_encoder(normalised(scenery.crops[rows]))
        )
        similarity = features @ text_features.T
        # A property at a time: one colour, one shape, one pattern and one size are right.
        losses = []
        for name in dict.fromkeys(attribute.property for attribute in asked):
            columns = [
                number for number, attribute in enumerate(asked) if attribute.property == name
            ]
            losses.append(
                F.cross_entropy(
                    similarity[:, columns] / self._temperature.clamp(0.01, 0.5),
                    has[:, columns].float().argmax(1),
                )
            )
        return self._contrast(similarity.T, has.T) + torch.stack(losses).mean()


class Answering:
    """Questions and their answers, written word after word."""

    EACH = 4  # questions per scene

    def __init__(self, sizes: FusedArchitecture, tokenizer: Tokenizer) -> None:
        text = sizes.text
        decoder = replace(text, layers=1, fusion_layer=0, encoder_width=text.width)
        self.network = AnsweringNetwork(sizes, decoder)
        self._tokenizer = tokenizer

    def loss(self, scenery: Scenery, rows: Tensor, dice: Dice) -> Tensor:
        asked = [self._four(scenery, row, dice) for row in rows.tolist()]
        tokens = [
            self._tokenizer.ids(pre_question(question.text))
            for group in asked
            for question in group
        ]
        answers = self._tokenizer.batch(
            [f"{question.answer}[SEP]" for group in asked for question in group]
        )
        encoder, decoder = self.network.text_encoder, self.network.text_decoder
        kv = encoder.project_kv(self.network.vision_encoder(normalised(scenery.images[rows])))
        image_of = torch.arange(len(rows)).repeat_interleave(self.EACH).tolist()
        states, present = fused_tokens(encoder, tokens, kv.of_images, image_of, CPU)
        written = decoder.bert.decode(
            answers.ids[:, None, :-1], decoder.bert.project_kv(states, present)
        )
        return _next_words(decoder.cls.predictions(written.states[:, 0]), answers)

    def _four(self, scenery: Scenery, row: int, dice: Dice) -> Sequence[Asked]:
        found = questions(scenery.scenes[row], seed=f"{dice.share()}")
        return [found[number % len(found)] for number in range(self.EACH)]


class Judging:
    """Statements on pairs of scenes."""

    EACH = 4  # statements per pair, as many true as false where that can be had
    TRIES = 40

    def __init__(self, sizes: FusedArchitecture, tokenizer: Tokenizer) -> None:
        self.network = PairNetwork(sizes)
        self._share()
        self._tokenizer = tokenizer

    def _share(self) -> None:
        """Make the layers of a pair share their keys and values, as the released models do."""
        layers = self.network.text_encoder.fusion_layers
        for even, odd in zip(layers[::2], layers[1::2], strict=True):
            odd.crossattention.self.key, odd.crossattention.self.value = (
                even.crossattention.self.key,
                even.crossattention.self.value,
            )

    def loss(self, scenery: Scenery, rows: Tensor, dice: Dice) -> Tensor:
        pairs = rows.unflatten(0, (-1, 2))
        said = [self._balanced(scenery, left, right, dice) for left, right in pairs.tolist()]
        tokens = [self._tokenizer.ids(pre_caption(text)) for group in said for text, _ in group]
        network = self.network
        kv = network.project_kv(network.vision_encoder(normalised(scenery.images[rows])))
        both = torch.arange(len(rows)).unflatten(0, (-1, 2))
        image_of = torch.arange(len(pairs)).repeat_interleave(self.EACH).tolist()
        cls = fused_cls(
            network.text_encoder,
            tokens,
            lambda some: network.pair_kv(kv, both[some]),
            image_of,
            CPU,
        )
        logits = network.logits(cls)
        truths = torch.tensor([[int(true) for _, true in group] for group in said])
        return F.cross_entropy(logits, truths.flatten())

    def _balanced(
        self, scenery: Scenery, left: int, right: int, dice: Dice
    ) -> list[tuple[str, bool]]:
        found: dict[bool, list[str]] = {True: [], False: []}
        for _ in range(self.TRIES):
            tried = statement(dice)
            found[tried.holds(scenery.scenes[left], scenery.scenes[right])].append(tried.text)
            if min(map(len, found.values())) >= self.EACH // 2:
                break
        half = min(self.EACH // 2, len(found[True]))
        return [(text, True) for text in found[True][:half]] + [
            (text, False) for text in found[False][: self.EACH - half]
        ]


class Describing:
    """Captions after the prompt, word after word."""

    EACH = 2  # captions per scene

    def __init__(self, sizes: FusedArchitecture, tokenizer: Tokenizer) -> None:
        self.network = CaptioningNetwork(sizes)
        self._tokenizer = tokenizer

    def loss(self, scenery: Scenery, rows: Tensor, dice: Dice) -> Tensor:
        said = [
            captions(scenery.scenes[row], seed=f"{dice.share()}")[: self.EACH]
            for row in rows.tolist()
        ]
        tokens = self._tokenizer.batch(
            [f"{PROMPT}{pre_caption(text)}[SEP]" for group in said for text in group]
        )
        ids, _ = rows_of(tokens, len(rows))
        decoder = self.network.text_decoder
        images = decoder.bert.project_kv(
            self.network.vision_encoder(normalised(scenery.images[rows]))
        )
        states = decoder.bert.decode(ids[:, :, :-1], images).states
        return _next_words(
            decoder.cls.predictions(states.flatten(0, 1)),
            tokens,
            skipped=len(self._tokenizer.ids(PROMPT)) - 1,
        )


def _next_words(logits: Tensor, tokens: Tokens, *, skipped: int = 0) -> Tensor:
    """Return the loss of the words after the first `skipped`, from logits [N, T - 1, V]."""
    wanted = tokens.ids.masked_fill(tokens.present == 0, -100)[:, 1:]
    return F.cross_entropy(
        logits[:, skipped:].flatten(0, 1).float(), wanted[:, skipped:].flatten(), ignore_index=-100
    )
