"""X-VLM as a retriever: likely pairs by the cosine of their features, then each of them by a closer look."""

from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.capabilities import Matches
from harness.inference.device import Device
from harness.inference.shortlist import shortlisted
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.inputs import Inputs, cleaned
from harness.models.xvlm.networks import retrieval_network
from harness.models.xvlm.preprocessing import CAPTION_WORDS, pre_caption

MAX_TOKENS = 40  # of a caption, [CLS] included: `max_tokens` of the reference's retrieval configurations
TEXTS_AT_ONCE = 256  # texts read, or compared with one image, at a time: memory stays bounded


class Texts(NamedTuple):
    """Read texts: `features` [N, f]; the states of text i are `states[length[i]][place[i]]`, a table [n, T, d] for each length T."""

    features: Tensor
    states: dict[int, Tensor]
    length: Tensor
    place: Tensor


class XVLMRetriever:
    """Implements `harness.capabilities.Retriever` for checkpoints with an `itm_head`: an image is a memory, its likely texts the readers.

    Texts of equal length are read together, so that nothing is padded and nothing masked.
    """

    def __init__(self, checkpoint: Checkpoint, vocabulary: Path, device: Device) -> None:
        """Load the weights strictly. Raises CheckpointError where they, or the vocabulary, do not fit."""
        network = retrieval_network(checkpoint)
        self.inputs = Inputs(network.architecture.vision, network.architecture.text, vocabulary, device)
        self.network = self.inputs.placed(network)
        self.protocol = f"itc+itm|{self.inputs.side}px|bicubic|{CAPTION_WORDS}-words|{MAX_TOKENS}-tokens"
        self.device, self.made_of, self.prepare = device.name, self.inputs.made_of, self.inputs.prepare

    def retrieve(
        self, images: Iterable[NDArray[np.uint8]], texts: Sequence[str], *, shortlist: int, wanted: Container[int]
    ) -> Iterator[Matches]:
        """Yield what was seen of each image `wanted` (by index); `images` are all of the gallery, in batches [M, R, R, 3]."""
        with self.inputs.device.computing():
            tokens = [self.image_tokens(self.inputs.normalised(batch)) for batch in images]
            gallery = torch.cat(tokens)
            read = self.read([self.inputs.tokenizer.ids(cleaned(text, pre_caption))[:MAX_TOKENS] for text in texts])
        yield from self.compare(gallery, read, shortlist=shortlist, wanted=wanted)

    def compare(self, gallery: Tensor, texts: Texts, *, shortlist: int, wanted: Container[int]) -> Iterator[Matches]:
        """Yield what a closer look says of the likely texts of each image, one image's keys and values alive at a time."""
        with self.inputs.device.computing():
            similarity = self.network.image_features(gallery) @ texts.features.T
            pairs = shortlisted(similarity, shortlist)
        for image in range(len(gallery)):
            if image in wanted:
                near = pairs.of_image(image)
                with self.inputs.device.computing():
                    logits = self.match(gallery[image], texts, near)
                yield Matches(image, near.numpy(), similarity[image].cpu()[near].numpy(), logits[:, 1].cpu().numpy())

    def image_tokens(self, images: Tensor) -> Tensor:
        """Return the tokens [M, S, C] of normalised images [M, 3, R, R]."""
        tokens: Tensor = self.network.vision_encoder(images)
        return tokens

    def read(self, texts: Sequence[Sequence[int]]) -> Texts:
        """Read texts given as token ids, those of equal length together."""
        length = torch.tensor([len(text) for text in texts])
        place = torch.empty_like(length)
        features: Tensor | None = None
        states: dict[int, Tensor] = {}
        for tokens in length.unique().tolist():
            rows = (length == tokens).nonzero()[:, 0]
            place[rows] = torch.arange(len(rows))
            ids = torch.tensor([list(texts[row]) for row in rows.tolist()], device=self.inputs.device.torch)
            states[tokens] = torch.cat([self.network.text_encoder.read(part[None])[0] for part in ids.split(TEXTS_AT_ONCE)])
            found = self.network.text_features(states[tokens])
            features = found.new_empty(len(texts), found.shape[-1]) if features is None else features
            features[rows.to(features.device)] = found
        if features is None:
            raise ValueError("no text to read")
        return Texts(features, states, length, place)

    def match(self, tokens: Tensor, texts: Texts, which: Tensor) -> Tensor:
        """Return the logits [n, 2] of one image, tokens [S, C], and the texts `which` [n] by index."""
        memory = self.network.text_encoder.remember(tokens[None])
        logits = tokens.new_empty(len(which), 2, dtype=torch.float32)
        for length in texts.length[which].unique().tolist():
            mine = (texts.length[which] == length).nonzero()[:, 0]
            for part in mine.split(TEXTS_AT_ONCE):
                states = texts.states[length][texts.place[which[part]].to(tokens.device)]
                logits[part.to(tokens.device)] = self.network.match(states[None], memory)[0]
        return logits
