"""Keys and values of attention: those of an image, computed once, and those of decoded tokens."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from harness.engine.device import send


@dataclass(frozen=True)
class KV:
    """Keys and values [B, heads, S, w] of one layer.

    `mask`, if any, is added to the attention scores; it broadcasts to [B, heads, queries, S].
    """

    keys: Tensor
    values: Tensor
    mask: Tensor | None = None

    @property
    def length(self) -> int:
        """The number of tokens, S."""
        return self.keys.shape[2]

    def select(self, rows: Tensor | slice) -> "KV":
        """Return some of the B rows, in the order of `rows`."""
        mask = self.mask
        if mask is not None and len(mask) > 1:
            mask = mask[rows]
        return KV(self.keys[rows], self.values[rows], mask)

    def append(self, more: "KV") -> "KV":
        """Return the keys and values of these tokens and of `more` after them, without a mask."""
        return KV(
            torch.cat([self.keys, more.keys], dim=2), torch.cat([self.values, more.values], dim=2)
        )


@dataclass(frozen=True)
class CrossKV:
    """What texts attend to across the modalities: one `KV` of G images for each fusion layer."""

    layers: tuple[KV, ...]

    def __len__(self) -> int:
        return len(self.layers[0].keys)

    def select(self, images: Tensor) -> "CrossKV":
        """Return the keys and values of some `images`, by index on the device."""
        return CrossKV(tuple(layer.select(images) for layer in self.layers))

    def of_images(self, images: Tensor) -> "CrossKV":
        """Return those of some `images`, by index on the host; itself where they are all."""
        if torch.equal(images, torch.arange(len(self))):
            return self
        return self.select(send(images, self.layers[0].keys.device))


class Past(Protocol):
    """The keys and values of the tokens decoded so far."""

    @property
    def length(self) -> int:
        """The number of tokens."""
        ...

    def append(self, more: KV) -> KV:
        """Return those of all tokens, with `more` after the ones so far."""
        ...


class KVCache:
    """A preallocated KV cache for decoding, updated in place."""

    def __init__(self, prompt: KV, *, capacity: int) -> None:
        """Begin with a prompt; `reorder` allocates for texts of at most `capacity` tokens."""
        self._capacity, self.length = capacity, prompt.length
        self._texts, self._buffers = len(prompt.keys), [prompt.keys, prompt.values]

    def reorder(self, rows: Tensor) -> None:
        """Continue the texts `rows` [N], in this order; a text may be continued more than once."""
        for number, buffer in enumerate(self._buffers):
            # The unused capacity is copied too: tensors of one size leave no holes in memory.
            chosen = buffer.index_select(0, rows)
            if buffer.shape[2] < self._capacity or len(buffer) < len(rows):
                self._buffers[number] = buffer.new_empty(
                    len(rows), buffer.shape[1], self._capacity, buffer.shape[3]
                )
            self._buffers[number][: len(rows), :, : chosen.shape[2]] = chosen
        self._texts = len(rows)

    def append(self, more: KV) -> KV:
        """Store the keys and values of the next tokens, and return those of all tokens.

        Raises ValueError beyond the capacity.
        """
        before, self.length = self.length, self.length + more.length
        capacity = self._buffers[0].shape[2]
        if self.length > capacity:
            raise ValueError(f"{self.length} tokens exceed the KV cache's capacity of {capacity}")
        for buffer, new in zip(self._buffers, (more.keys, more.values), strict=True):
            buffer[: self._texts, :, before : self.length] = new
        keys, values = (buffer[: self._texts, :, : self.length] for buffer in self._buffers)
        return KV(keys, values)
