"""X-VLM as a retriever: likely pairs by the cosine of their features, then each of them by a closer look."""

from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path

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
from harness.models.xvlm.texts import Texts, read_texts

MAX_TOKENS = 40  # of a caption, [CLS] included: `max_tokens` of the reference's retrieval configurations


class XVLMRetriever:
    """Implements `harness.capabilities.Retriever` for checkpoints with an `itm_head`: an image is a memory, its likely texts the readers.

    Every pair is looked at once, whichever side it was shortlisted from.
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
            tokens = [self.image_tokens(self.inputs.normalised(batch)).to(self.inputs.device.kept) for batch in images]
            gallery = torch.cat(tokens)
            read = self.read([self.inputs.tokenizer.ids(cleaned(text, pre_caption))[:MAX_TOKENS] for text in texts])
        yield from self.compare(gallery, read, shortlist=shortlist, wanted=wanted)

    def compare(self, gallery: Tensor, texts: Texts, *, shortlist: int, wanted: Container[int]) -> Iterator[Matches]:
        """Yield what a closer look says of the likely texts of each image, one image's keys and values alive at a time."""
        with self.inputs.device.computing():
            features = self.network.image_features(gallery)
            pairs = shortlisted(features, texts.features, shortlist)
        for image in range(len(gallery)):
            if image in wanted:
                near = pairs.of_image(image)
                with self.inputs.device.computing():
                    similarity = (texts.features[near.to(features.device)] * features[image]).sum(-1)
                    logits = self.match(gallery[image], texts, near)
                yield Matches(image, near.numpy(), similarity.cpu().numpy(), logits[:, 1].cpu().numpy())

    def image_tokens(self, images: Tensor) -> Tensor:
        """Return the tokens [M, S, C] of normalised images [M, 3, R, R]."""
        tokens: Tensor = self.network.vision_encoder(images)
        return tokens

    def read(self, texts: Sequence[Sequence[int]]) -> Texts:
        """Read texts given as token ids."""
        return read_texts(self.network, texts, self.inputs.device)

    def match(self, tokens: Tensor, texts: Texts, which: Tensor) -> Tensor:
        """Return the logits [n, 2] of one image, tokens [S, C], and the texts `which` [n] by index."""
        memory = self.network.text_encoder.remember(tokens[None])
        logits = torch.empty(len(which), 2, device=tokens.device)
        for readers in texts.readers(which):
            logits[readers.which.to(tokens.device)] = self.network.match(readers.states, memory, readers.mask)[0]
        return logits
