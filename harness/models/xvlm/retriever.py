"""X-VLM as a retriever: likely pairs by the cosine of their features, then each of them by a closer look."""

from collections.abc import Container, Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from harness.capabilities import Gallery, Matches
from harness.engine.device import AsyncCopy, Device
from harness.engine.shortlist import shortlist_pairs
from harness.models.fusion.packed_texts import Texts
from harness.models.xvlm import costs
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.inputs import Inputs, cleaned
from harness.models.xvlm.networks import retrieval_network
from harness.models.xvlm.preprocessing import CAPTION_WORDS, pre_caption
from harness.workload import Cost, Workload

MAX_TOKENS = (
    40  # of a caption, [CLS] included: `max_tokens` of the reference's retrieval configurations
)


class Seen(NamedTuple):
    """Images that were encoded: their `numbers` in the gallery and the tokens [S, C] of each; and `features` [I, f] of the images `known`.

    Known are those of this process only, or those of all.
    """

    numbers: list[int]
    tokens: list[Tensor]
    known: list[int]
    features: Tensor

    def together(self, everywhere: Iterable[tuple[Sequence[int], Tensor]]) -> "Seen":
        """Return the same with the features of the whole gallery, in order of number, out of what each process has."""
        parts = list(everywhere)
        numbers = [number for some, _ in parts for number in some]
        order = sorted(range(len(numbers)), key=numbers.__getitem__)
        features = torch.cat([found.to(self.features.device) for _, found in parts])[order]
        return self._replace(known=[numbers[place] for place in order], features=features)


class _Coming(NamedTuple):
    """What was seen of an image, on its way from the device."""

    image: int
    texts: Tensor
    itc: AsyncCopy
    itm: AsyncCopy

    def matches(self) -> Matches:
        return Matches(self.image, self.texts.numpy(), self.itc.wait(), self.itm.wait())


class XVLMRetriever:
    """Implements `harness.capabilities.Retriever` for checkpoints with an `itm_head`: an image is a memory, its likely texts the readers.

    Every pair is looked at once, whichever side it was shortlisted from.
    """

    def __init__(self, checkpoint: Checkpoint, vocabulary: Path, device: Device) -> None:
        """Load the weights strictly. Raises CheckpointError where they, or the vocabulary, do not fit."""
        network = retrieval_network(checkpoint)
        self.inputs = Inputs(
            network.architecture.vision, network.architecture.text, vocabulary, device
        )
        self.network = self.inputs.placed(network)
        self.protocol = (
            f"itc+itm|{self.inputs.side}px|bicubic|{CAPTION_WORDS}-words|{MAX_TOKENS}-tokens"
        )
        self.device, self.provenance, self.prepare = (
            device.name,
            self.inputs.provenance,
            self.inputs.prepare,
        )
        self.memory_budget = self.inputs.device.memory_budget

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of captions, cut after the first MAX_TOKENS."""
        return [
            self.inputs.tokenizer.ids(cleaned(text, pre_caption))[:MAX_TOKENS] for text in texts
        ]

    def retrieve(
        self, gallery: Gallery, texts: Sequence[str], *, shortlist: int, wanted: Container[int]
    ) -> Iterator[Matches]:
        """Yield the matches of each image `wanted`; each process encodes its own images, and tells the others their features."""
        with self.inputs.device.computing():
            own = self.see(
                (numbers, self.inputs.normalised(images)) for numbers, images in gallery.images
            )
            seen = own.together(gallery.all_gather((own.numbers, own.features.cpu())))
            read = self.read(self.token_ids(texts))
        yield from self.compare(seen, read, shortlist=shortlist, wanted=wanted)

    def cost(self, workload: Workload) -> Cost:
        """Return what it costs to compare images and texts."""
        sizes, length = (
            self.network.architecture,
            self.inputs.mean_length(workload.texts, pre_caption, longest=MAX_TOKENS),
        )
        features, item_bytes = (
            self.network.vision_proj.out_features,
            self.inputs.device.storage_dtype.itemsize,
        )
        return costs.retrieval(
            sizes.vision,
            sizes.text,
            workload,
            length=length,
            features=features,
            item_bytes=item_bytes,
            chunk_sizes=self.inputs.device.chunk_sizes,
        )

    def see(self, images: Iterable[tuple[Sequence[int], Tensor]]) -> Seen:
        """Encode normalised images, given in batches with their numbers."""
        numbers: list[int] = []
        tokens, features = [self.network.vision_proj.weight.new_empty(0)], []
        for some, batch in images:
            found = self.image_tokens(batch)
            numbers += some
            tokens.append(found.to(self.inputs.device.storage_dtype))
            features.append(
                self.network.image_features(found)
            )  # batch by batch: it is the same whoever else encodes images
            del batch, found  # before the next batch is made ready
        width = self.network.vision_proj.out_features
        everything = torch.cat([torch.empty(0, width, device=tokens[0].device), *features])
        return Seen(numbers, [image for batch in tokens for image in batch], numbers, everything)

    def compare(
        self, seen: Seen, texts: Texts, *, shortlist: int, wanted: Container[int]
    ) -> Iterator[Matches]:
        """Yield what a closer look says of the likely texts of each image; keys and values are there of one image at a time."""
        with self.inputs.device.computing():
            pairs = shortlist_pairs(seen.features, texts.features, shortlist)
        place = {number: place for place, number in enumerate(seen.known)}
        coming: _Coming | None = None
        for number, tokens in sorted(
            zip(seen.numbers, seen.tokens, strict=True), key=itemgetter(0)
        ):
            if number in wanted:
                near = pairs.texts_of_image(place[number])
                with self.inputs.device.computing():
                    similarity = (
                        texts.features[self.inputs.device.send(near)] * seen.features[place[number]]
                    ).sum(-1)
                    logits = self.match(tokens, texts, near)
                    looked = _Coming(number, near, AsyncCopy(similarity), AsyncCopy(logits[:, 1]))
                if coming is not None:
                    yield coming.matches()
                coming = looked  # a GPU looks at it while the one before is written down
        if coming is not None:
            yield coming.matches()

    def image_tokens(self, images: Tensor) -> Tensor:
        """Return the tokens [M, S, C] of normalised images [M, 3, R, R]."""
        tokens: Tensor = self.network.vision_encoder(images)
        return tokens

    def read(self, texts: Sequence[Sequence[int]]) -> Texts:
        """Read texts given as token ids."""
        return self.network.read(texts, self.inputs.device)

    def match(self, tokens: Tensor, texts: Texts, which: Tensor) -> Tensor:
        """Return the logits [n, 2] of one image, tokens [S, C], and the texts `which` [n] by index."""
        memory = self.network.text_encoder.project_kv(tokens[None])
        logits = torch.empty(len(which), 2, device=tokens.device)
        for packed, states in texts.readers(which):
            logits[packed.texts] = self.network.match(states, packed, memory)
        return logits
