"""The layers of BERT as X-VLM has them: attend to one's own text, look at a memory, think.

A *memory* is what is looked at, as keys and values that are made once. Its *readers* are states [G, n, T, d], n texts of T tokens for
each of G memories: every one attends to itself along T, and looks at its memory together with all other readers, so that keys and values
are never repeated. Parameter names are those of the released checkpoints.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from harness.engine.device import send
from harness.engine.matmul import Linear, attend
from harness.engine.packing import PackedTexts
from harness.models.fusion.sizes import TextArchitecture

EPSILON = 1e-12


@dataclass(frozen=True)
class KV:
    """What one layer looks at: keys and values [G, heads, S, width of a head]."""

    keys: Tensor
    values: Tensor

    @property
    def length(self) -> int:
        """How many tokens are remembered."""
        return self.keys.shape[2]

    def of(self, rows: Tensor) -> "KV":
        """Return some of G memories, in the order of `rows`."""
        return KV(self.keys[rows], self.values[rows])

    def append(self, more: "KV") -> "KV":
        """Return what is remembered of more tokens after these."""
        return KV(
            torch.cat([self.keys, more.keys], dim=2), torch.cat([self.values, more.values], dim=2)
        )


class Past(Protocol):
    """What a layer recalls of the beginnings of texts."""

    @property
    def length(self) -> int:
        """How many tokens of each are recalled."""
        ...

    def append(self, more: KV) -> KV:
        """Return what is recalled of more tokens after these."""
        ...


class KVCache:
    """What a layer recalls of texts that are being written: a memory with room for what is still to come, filled where it is."""

    def __init__(self, begun: KV, *, capacity: int) -> None:
        """Begin with what is recalled of a prompt, which `reorder` makes room for; no text will have more than `capacity` tokens."""
        self._capacity, self.length = capacity, begun.length
        self._texts, self._both = len(begun.keys), [begun.keys, begun.values]

    def reorder(self, rows: Tensor) -> None:
        """Go on with the texts `rows` [N], in that order; one that is there twice goes on in two ways."""
        for number, buffer in enumerate(self._both):
            kept = buffer.index_select(
                0, rows
            )  # the empty room, too: what always has one size leaves no holes in memory
            if buffer.shape[2] < self._capacity or len(buffer) < len(rows):
                self._both[number] = buffer.new_empty(
                    len(rows), buffer.shape[1], self._capacity, buffer.shape[3]
                )
            self._both[number][: len(rows), :, : kept.shape[2]] = kept
        self._texts = len(rows)

    def append(self, more: KV) -> KV:
        """Write down what is recalled of the next tokens, and return all of it. Raises ValueError where there is no room."""
        before, self.length = self.length, self.length + more.length
        if self.length > self._both[0].shape[2]:
            raise ValueError(f"{self.length} tokens, but room for {self._both[0].shape[2]}")
        for buffer, new in zip(self._both, (more.keys, more.values), strict=True):
            buffer[: self._texts, :, before : self.length] = new
        keys, values = (buffer[: self._texts, :, : self.length] for buffer in self._both)
        return KV(keys, values)


def select_rows(memory: list[KV], rows: Tensor) -> list[KV]:
    """Return some of the memories of all layers, `rows` on the host; they themselves where all are wanted."""
    keys = memory[0].keys
    if torch.equal(rows, torch.arange(len(keys))):
        return memory
    chosen = send(rows, keys.device)
    return [part.of(chosen) for part in memory]


class Embeddings(nn.Module):
    """Turn token ids [.., T] into states [.., T, d]; all tokens are of type 0."""

    def __init__(self, text: TextArchitecture) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(text.vocabulary, text.width)
        self.position_embeddings = nn.Embedding(text.positions, text.width)
        self.token_type_embeddings = nn.Embedding(2, text.width)
        self.LayerNorm = nn.LayerNorm(text.width, eps=EPSILON)

    def forward(self, ids: Tensor, position_ids: Tensor | None = None) -> Tensor:
        """Embed tokens at their `position_ids` [.., T]; by default they count from 0, whatever the padding."""
        weight = self.position_embeddings.weight
        at = weight[: ids.shape[-1]] if position_ids is None else weight[position_ids]
        return self.LayerNorm(self.word_embeddings(ids) + at + self.token_type_embeddings.weight[0])


class Projections(nn.Module):
    """Queries from what asks, keys and values from what is asked."""

    def __init__(self, width: int, encoder_width: int) -> None:
        super().__init__()
        self.query = Linear(width, width)
        self.key = Linear(encoder_width, width)
        self.value = Linear(encoder_width, width)


class AddAndNorm(nn.Module):
    """Project, add what went in before, and normalise (post-LayerNorm)."""

    def __init__(self, inner_width: int, width: int) -> None:
        super().__init__()
        self.dense = Linear(inner_width, width)
        self.LayerNorm = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, inner: Tensor, before: Tensor) -> Tensor:
        return self.LayerNorm(self.dense.added(inner, before))


class Attention(nn.Module):
    """The parameters of one attention, named as in the checkpoints; what is asked of whom is the layer's business."""

    def __init__(self, text: TextArchitecture, *, encoder_width: int) -> None:
        super().__init__()
        self.heads = text.heads
        self.self = Projections(text.width, encoder_width)
        self.output = AddAndNorm(text.width, text.width)

    def project_kv(self, seen: Tensor) -> KV:
        """Make the keys and values of what is seen, [B, S, width]."""
        return KV(keys=self.split(self.self.key(seen)), values=self.split(self.self.value(seen)))

    def forward(self, states: Tensor, memory: KV, mask: Tensor | None) -> Tensor:
        """Let states [B, L, d] ask a memory of B; `mask` broadcasts to [B, heads, L, S] and is added to the scores."""
        query = self.split(self.self.query(states))
        return attend(query, memory.keys, memory.values, mask).transpose(1, 2).flatten(2)

    def split(self, states: Tensor) -> Tensor:
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Inner(nn.Module):
    def __init__(self, text: TextArchitecture) -> None:
        super().__init__()
        self.dense = Linear(text.width, text.inner_width)

    def forward(self, states: Tensor) -> Tensor:
        return self.dense.activated(states)


class Layer(nn.Module):
    """Attend to one's own text, look at the memory (fusion layers only), think."""

    def __init__(self, text: TextArchitecture, *, cross_attention: bool) -> None:
        super().__init__()
        self.attention = Attention(text, encoder_width=text.width)
        if cross_attention:
            self.crossattention = Attention(text, encoder_width=text.encoder_width)
        self.intermediate = Inner(text)
        self.output = AddAndNorm(text.inner_width, text.width)

    def project_kv(self, states: Tensor, past: Past | None = None) -> KV:
        """Make the keys and values of texts [G, n, T, d] for themselves, after those of their tokens before these."""
        own = self.attention.project_kv(states.flatten(0, 1))
        return own if past is None else past.append(own)

    def self_attention(self, states: Tensor, own: KV, mask: Tensor | None) -> Tensor:
        """Let the tokens of every text [G, n, T, d], or the first of them, attend to what their text recalls of itself."""
        texts = states.flatten(0, 1)
        return self.attention.output(self.attention(texts, own, mask), texts).view_as(states)

    def packed_self_attention(
        self, states: Tensor, packed: PackedTexts, *, first_only: bool = False
    ) -> Tensor:
        """Let the tokens of texts laid end to end, [N, d], attend to their text; or the first of each, which returns [n, d]."""
        asking = states[packed.first] if first_only else states
        query, keys, values = (
            self.attention.self.query(asking),
            self.attention.self.key(states),
            self.attention.self.value(states),
        )
        found = []
        for bucket in packed.buckets:
            own = query[bucket.texts].unsqueeze(1) if first_only else bucket.pad(query)
            memory = KV(*(self.attention.split(bucket.pad(part)) for part in (keys, values)))
            table = (
                attend(self.attention.split(own), memory.keys, memory.values, bucket.mask)
                .transpose(1, 2)
                .flatten(2)
            )
            found.append(table[:, 0] if first_only else bucket.unpad(table))
        return self.attention.output(torch.cat(found), asking)

    def cross_attention(self, states: Tensor, memory: KV, mask: Tensor | None) -> Tensor:
        """Let the readers [G, n, T, d] look at their memory: all tokens of all its readers are queries of one attention."""
        readers = states.flatten(1, 2)
        seen = self.crossattention(readers, memory, mask)
        return self.crossattention.output(seen, readers).view_as(states)

    def feed_forward(self, states: Tensor) -> Tensor:
        return self.output(self.intermediate(states), states)
