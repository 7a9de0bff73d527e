"""Beam search in preallocated buffers: steps of fixed shapes, which a GPU can replay as graphs.

`captioning.CachedDecoder` computes the open images alone, in tensors that shrink with them. Here an
image keeps its place, and those that are done leave only where the batch then fits a smaller
bucket. A step depends on the number of images in the bucket and on the length of the texts, and on
nothing else outside the buffers.
"""

import warnings
from functools import partial

import torch
from torch import Tensor

from harness.engine.beam_search import Decoder
from harness.engine.memory import is_out_of_memory
from harness.engine.step_graphs import Steps
from harness.models.fusion.kv import KV, CrossKV
from harness.models.fusion.language_model import LanguageModel

BUCKETS = 8  # sizes of a batch, from the whole one down, in equal steps


class StaticDecoding:
    """The buffers and steps of a decoder, kept from one batch to the next."""

    def __init__(self, decoder: LanguageModel, steps: Steps) -> None:
        self._decoder, self._steps = decoder, steps
        self._buffers: Buffers | None = None
        self._usable = True

    def begin(
        self, images: CrossKV, prompt: Tensor, *, width: int, max_length: int
    ) -> Decoder | None:
        """Decode a prompt [G, 1, T] about each image; then `width` texts of at most `max_length`.

        Return None where memory does not hold the buffers, now or before.
        """
        if not self._usable:
            return None
        if self._buffers is None or not self._buffers.suit(images, width, max_length):
            self._forget()
        try:
            if self._buffers is None:
                vocabulary = len(self._decoder.cls.predictions.bias)
                self._buffers = Buffers(images, width, max_length, vocabulary=vocabulary)
            return StaticDecoder(self._decoder, self._steps, self._buffers, images, prompt)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        self._usable = False
        self._forget()
        message = "no step graphs: the buffers of the decoder do not fit into memory"
        warnings.warn_explicit(message, UserWarning, __name__, 1)  # prints no line of code
        return None

    def _forget(self) -> None:
        self._buffers = None
        self._steps.forget()


class Buffers:
    """Tensors for at most G images with `width` texts of at most `capacity` tokens each.

    Keys and values of each fusion layer, `images` [G, heads, S, w], and of each layer, `texts`
    [G * width, heads, capacity, w]; the last `tokens` [G, width], the `rows` [G * width] that texts
    continue, and the log-probabilities of all next tokens, `output` [G, width, vocabulary].
    """

    def __init__(self, images: CrossKV, width: int, capacity: int, *, vocabulary: int) -> None:
        first = images.layers[0].keys
        self.count, self.width, self.capacity = len(images), width, capacity
        self.images = [[torch.empty_like(part) for part in _parts(kv)] for kv in images.layers]
        self.tokens = torch.zeros(self.count, width, dtype=torch.long, device=first.device)
        self.rows = torch.arange(self.count * width, device=first.device)
        self.output = torch.zeros(self.count, width, vocabulary, device=first.device)
        self.texts: list[list[Tensor]] = []

    def suit(self, images: CrossKV, width: int, capacity: int) -> bool:
        """Whether the buffers are right for these images, and not more than twice as large."""
        first, own = images.layers[0].keys, self.images[0][0]
        same = (first.shape[1:], first.dtype) == (own.shape[1:], own.dtype)
        same = same and (width, capacity) == (self.width, self.capacity)
        return same and self.count // 2 < len(images) <= self.count

    def fill(self, images: CrossKV, past: list[KV]) -> None:
        """Store the keys and values of images, and of the prompt, for all texts of each image."""
        for parts, kv in zip(self.images, images.layers, strict=True):
            for buffer, part in zip(parts, _parts(kv), strict=True):
                buffer[: len(part)] = part
        if not self.texts:
            shape = (self.count * self.width, past[0].keys.shape[1], self.capacity, -1)
            self.texts = [
                [part.new_zeros(*shape[:3], part.shape[3]) for part in _parts(kv)] for kv in past
            ]
        for parts, kv in zip(self.texts, past, strict=True):
            for buffer, part in zip(parts, _parts(kv), strict=True):
                repeated = part.repeat_interleave(self.width, 0)
                buffer[: len(repeated), :, : part.shape[2]] = repeated

    def bucket_of(self, images: int) -> int:
        """Return the number of images that a step computes: a bucket of at least `images`."""
        size = -(-self.count // BUCKETS)
        return min(self.count, -(-images // size) * size)


class StaticDecoder:
    """A decoder in buffers; implements `harness.engine.beam_search.Decoder`."""

    def __init__(
        self,
        decoder: LanguageModel,
        steps: Steps,
        buffers: Buffers,
        images: CrossKV,
        prompt: Tensor,
    ) -> None:
        state = decoder.bert.decode(prompt, images)
        buffers.fill(images, state.past)
        self._decoder, self._steps, self._buffers = decoder, steps, buffers
        self._length, self._bucket = prompt.shape[2], buffers.bucket_of(len(images))
        self._places = torch.arange(len(images), device=prompt.device)
        self._next: Tensor = decoder.log_probabilities(state.states[:, :, -1])

    def next_log_probabilities(self) -> Tensor:
        """Return the log-probability of every next token, [G, n, vocabulary]."""
        return self._next

    def step(self, images: Tensor, beams: Tensor, tokens: Tensor) -> None:
        """Append `tokens` [G', n] to the `beams` [G', n] of `images` [G']; drop all others."""
        buffers, width = self._buffers, self._buffers.width
        before = self._places[images]
        bucket = buffers.bucket_of(len(before))
        if bucket < self._bucket:
            for parts in buffers.images:
                for buffer in parts:
                    buffer[: len(before)] = buffer[before]
            self._places, self._bucket = torch.arange(len(before), device=before.device), bucket
        else:
            self._places = before
        torch.arange(len(buffers.rows), out=buffers.rows)
        buffers.rows.view(-1, width)[self._places] = before[:, None] * width + beams
        buffers.tokens[self._places] = tokens
        self._length += 1
        key = bucket, self._length
        self._steps.run(key, partial(_compute, self._decoder, buffers, *key))
        output = buffers.output[:bucket]
        self._next = output if len(before) == bucket else output[self._places]


def _compute(decoder: LanguageModel, buffers: Buffers, images: int, length: int) -> None:
    """Append the tokens of some `images`, the last of `length`, to the texts that they continue."""
    rows = buffers.rows[: images * buffers.width]
    for parts in buffers.texts:
        for buffer in parts:
            so_far = buffer[:, :, : length - 1]
            so_far[: len(rows)] = so_far.index_select(0, rows)
    state = decoder.bert.decode(
        buffers.tokens[:images, :, None],
        CrossKV(tuple(KV(*(part[:images] for part in parts)) for parts in buffers.images)),
        past=[_Texts(parts, len(rows), length - 1) for parts in buffers.texts],
    )
    buffers.output[:images] = decoder.log_probabilities(state.states[:, :, -1])


class _Texts:
    """The first `length` tokens of the first `rows` texts of a buffer; a `kv.Past`."""

    def __init__(self, parts: list[Tensor], rows: int, length: int) -> None:
        self.length, self._parts, self._rows = length, parts, rows

    def append(self, more: KV) -> KV:
        """Store the keys and values of the next tokens, and return those of all tokens."""
        end = self.length + more.length
        for buffer, new in zip(self._parts, _parts(more), strict=True):
            buffer[: self._rows, :, self.length : end] = new
        keys, values = (buffer[: self._rows, :, :end] for buffer in self._parts)
        return KV(keys, values)


def _parts(kv: KV) -> tuple[Tensor, Tensor]:
    return kv.keys, kv.values
