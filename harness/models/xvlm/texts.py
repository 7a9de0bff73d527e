"""Texts that were read, kept without padding: what retrieval compares with images, again and again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from harness.inference.device import Device
from harness.inference.readers import by_length, padded
from harness.models.xvlm.bert import padding_mask
from harness.models.xvlm.heads import RetrievalNetwork


class Readers(NamedTuple):
    """Some texts side by side: which ones [n], their states [1, n, T, d], and the mask of their padding, None where there is none."""

    which: Tensor
    states: Tensor
    mask: Tensor | None


@dataclass(frozen=True)
class Texts:
    """Read texts: `features` [N, f], and `states` [all tokens, d], laid end to end, from which they go on to look at images.

    Text i begins at `start[i]` and has `length[i]` tokens. The states are those after the first fusion layer's own attention: no image
    changes them up to there.
    """

    features: Tensor
    states: Tensor
    start: Tensor
    length: Tensor

    def readers(self, which: Tensor) -> Iterator[Readers]:
        """Yield the texts `which` [n], by index, in groups of like length."""
        for group in by_length(self.length[which].tolist()):
            chosen = which[torch.tensor(group)]
            length = self.length[chosen][:, None]
            place = torch.arange(int(length.max()))
            tokens = self.start[chosen][:, None] + torch.minimum(place, length - 1)  # padding repeats the last token: it is not seen
            mask = padding_mask((place < length)[None].to(self.states.device))
            yield Readers(torch.tensor(group), self.states[tokens.to(self.states.device)][None], mask)


def read_texts(network: RetrievalNetwork, texts: Sequence[Sequence[int]], device: Device) -> Texts:
    """Read texts given as token ids, those of like length together. Raises ValueError where there is none."""
    if not texts:
        raise ValueError("no text to read")
    length = torch.tensor([len(text) for text in texts])
    start = length.cumsum(0) - length
    states = torch.empty(int(length.sum()), network.architecture.text.width, dtype=device.kept, device=device.torch)
    features: Tensor | None = None
    for group in by_length(length.tolist()):
        ids, present = (part[None].to(device.torch) for part in padded([texts[index] for index in group]))
        mask = padding_mask(present)
        read = network.text_encoder.read(ids, mask)
        begun = network.text_encoder.begin(read, mask)
        there = present.bool()
        chosen = torch.tensor(group)
        tokens = (start[chosen][:, None] + torch.arange(ids.shape[-1])).to(device.torch)
        states[tokens[there[0]]] = begun[there].to(states.dtype)
        found = network.text_features(read[0])
        features = found.new_empty(len(texts), found.shape[-1]) if features is None else features
        features[chosen.to(device.torch)] = found
    assert features is not None
    return Texts(features, states, start, length)
