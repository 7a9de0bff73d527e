"""The text encoder and the fusion encoder: one BERT, split at `fusion_layer`.

Devlin et al., BERT (arXiv 1810.04805): post-LayerNorm, exact GELU. The layers below `fusion_layer` read; the others also look at an image
by cross-attention (X-VLM, section 3.1). In the words of this project the image is a *memory*, whose keys and values are made once, and the
texts are its *readers*: states are [G, n, T, d], n texts of T tokens for each of G memories. Parameter names are those of the released
checkpoints.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.models.xvlm.architecture import TextArchitecture

EPSILON = 1e-12
PADDING = -1e4  # what the reference adds to the score of a padded token (transformers 4.12.5): its weight is exactly 0 in float32
UNSEEN = -1e9  # what the reference adds to the score of a masked image token


@dataclass(frozen=True)
class Memory:
    """What one layer looks at: keys and values [G, heads, S, width of a head]."""

    keys: Tensor
    values: Tensor


class Embeddings(nn.Module):
    """Turn token ids [.., T] into states [.., T, d]; positions count from 0 whatever the padding, all tokens are of type 0."""

    def __init__(self, text: TextArchitecture) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(text.vocabulary, text.width)
        self.position_embeddings = nn.Embedding(text.positions, text.width)
        self.token_type_embeddings = nn.Embedding(2, text.width)
        self.LayerNorm = nn.LayerNorm(text.width, eps=EPSILON)

    def forward(self, ids: Tensor, *, first: int = 0) -> Tensor:
        """Embed tokens of which `first` came before these."""
        places = self.position_embeddings.weight[first : first + ids.shape[-1]]
        return self.LayerNorm(self.word_embeddings(ids) + places + self.token_type_embeddings.weight[0])


class Projections(nn.Module):
    """Queries from what asks, keys and values from what is asked."""

    def __init__(self, width: int, memory_width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(memory_width, width)
        self.value = nn.Linear(memory_width, width)


class AddAndNorm(nn.Module):
    """Project, add what went in before, and normalise (post-LayerNorm)."""

    def __init__(self, inner_width: int, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inner_width, width)
        self.LayerNorm = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, inner: Tensor, before: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(inner) + before)


class Attention(nn.Module):
    """The parameters of one attention, named as in the checkpoints; what is asked of whom is the layer's business."""

    def __init__(self, text: TextArchitecture, *, memory_width: int) -> None:
        super().__init__()
        self.heads = text.heads
        self.self = Projections(text.width, memory_width)
        self.output = AddAndNorm(text.width, text.width)

    def remember(self, seen: Tensor) -> Memory:
        """Make the keys and values of what is seen, [B, S, width]."""
        return Memory(keys=self.split(self.self.key(seen)), values=self.split(self.self.value(seen)))

    def forward(self, states: Tensor, memory: Memory, mask: Tensor | None) -> Tensor:
        """Let states [B, L, d] ask a memory of B; `mask` broadcasts to [B, heads, L, S] and is added to the scores."""
        query = self.split(self.self.query(states))
        mask = None if mask is None else mask.to(query.dtype)
        return F.scaled_dot_product_attention(query, memory.keys, memory.values, attn_mask=mask).transpose(1, 2).flatten(2)

    def split(self, states: Tensor) -> Tensor:
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Inner(nn.Module):
    def __init__(self, text: TextArchitecture) -> None:
        super().__init__()
        self.dense = nn.Linear(text.width, text.inner_width)

    def forward(self, states: Tensor) -> Tensor:
        return F.gelu(self.dense(states))


class Layer(nn.Module):
    """Attend to one's own text, look at the memory (fusion layers only), think."""

    def __init__(self, text: TextArchitecture, *, looks: bool) -> None:
        super().__init__()
        self.attention = Attention(text, memory_width=text.width)
        if looks:
            self.crossattention = Attention(text, memory_width=text.memory_width)
        self.intermediate = Inner(text)
        self.output = AddAndNorm(text.inner_width, text.width)

    def recall(self, states: Tensor, past: Memory | None = None) -> Memory:
        """Make the keys and values of texts [G, n, T, d] for themselves, after those of their tokens before these."""
        own = self.attention.remember(states.flatten(0, 1))
        if past is None:
            return own
        return Memory(torch.cat([past.keys, own.keys], dim=2), torch.cat([past.values, own.values], dim=2))

    def attend(self, states: Tensor, own: Memory, mask: Tensor | None) -> Tensor:
        """Let every text [G, n, T, d] attend to what it recalls of itself."""
        texts = states.flatten(0, 1)
        return self.attention.output(self.attention(texts, own, mask), texts).view_as(states)

    def look(self, states: Tensor, memory: Memory, mask: Tensor | None) -> Tensor:
        """Let the readers [G, n, T, d] look at their memory: all tokens of all its readers are queries of one attention."""
        readers = states.flatten(1, 2)
        seen = self.crossattention(readers, memory, mask)
        return self.crossattention.output(seen, readers).view_as(states)

    def think(self, states: Tensor) -> Tensor:
        return self.output(self.intermediate(states), states)


class Encoder(nn.Module):
    def __init__(self, text: TextArchitecture) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(text, looks=number >= text.fusion_layer) for number in range(text.layers))


@dataclass(frozen=True)
class Written:
    """Where texts that are being written stand: the states [G, n, T, d] of their newest tokens, and what each layer recalls of them."""

    states: Tensor
    past: list[Memory]

    def keep(self, rows: Tensor) -> list[Memory]:
        """Return what is recalled of the texts `rows` [N] of the G x n there are, in that order."""
        return [Memory(memory.keys[rows], memory.values[rows]) for memory in self.past]


class Bert(nn.Module):
    """Read texts, and look at memories with them."""

    def __init__(self, text: TextArchitecture) -> None:
        super().__init__()
        self.fusion_layer = text.fusion_layer
        self.embeddings = Embeddings(text)
        self.encoder = Encoder(text)

    @property
    def layers(self) -> list[Layer]:
        return [layer for layer in self.encoder.layer if isinstance(layer, Layer)]

    @property
    def fusion_layers(self) -> list[Layer]:
        return self.layers[self.fusion_layer :]

    def read(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Turn texts alone, ids [G, n, T], into states [G, n, T, d]. `mask` is what `padding_mask` or `causal_mask` gives."""
        states = self.embeddings(ids)
        for layer in self.layers[: self.fusion_layer]:
            states = layer.think(layer.attend(states, layer.recall(states), mask))
        return states

    def remember(self, seen: Tensor) -> list[Memory]:
        """Make the memory of what is looked at, [G, S, width]: keys and values for each fusion layer, once for all readers."""
        return [layer.crossattention.remember(seen) for layer in self.fusion_layers]

    def look(self, states: Tensor, memory: list[Memory], mask: Tensor | None = None, *, memory_mask: Tensor | None = None) -> Tensor:
        """Let read texts [G, n, T, d] look at their memories; returns states of the same shape."""
        for layer, layer_memory in zip(self.fusion_layers, memory, strict=True):
            states = layer.think(layer.look(layer.attend(states, layer.recall(states), mask), layer_memory, memory_mask))
        return states

    def write(self, ids: Tensor, memory: list[Memory], *, past: list[Memory] | None = None) -> Written:
        """Read and look at once, token after token: ids [G, n, T] are what texts go on with after the tokens that `past` recalls.

        Every token sees those before it and itself. More than one token at a time is only possible at the beginning.
        """
        length = ids.shape[-1]
        states = self.embeddings(ids, first=past[0].keys.shape[2] if past else 0)
        mask = None if length == 1 else (1.0 - torch.ones(length, length, device=ids.device).tril()) * PADDING
        recalled = []
        for number, layer in enumerate(self.layers):
            recalled.append(layer.recall(states, past[number] if past else None))
            states = layer.attend(states, recalled[-1], mask)
            if number >= self.fusion_layer:
                states = layer.look(states, memory[number - self.fusion_layer], None)
            states = layer.think(states)
        return Written(states, recalled)


def padding_mask(present: Tensor) -> Tensor | None:
    """Return what hides the padding of texts: `present` [G, n, T] is 1 for tokens. None where nothing is hidden."""
    return None if bool(present.all()) else (1.0 - present.flatten(0, 1)[:, None, None].float()) * PADDING


def causal_mask(present: Tensor) -> Tensor:
    """Return what hides the padding and everything after a token; `present` [G, n, T] is 1 for tokens."""
    length = present.shape[-1]
    past = torch.ones(length, length, device=present.device).tril()
    return (1.0 - past * present.flatten(0, 1)[:, None, None].float()) * PADDING


def memory_mask(present: Tensor) -> Tensor | None:
    """Return what hides parts of a memory: `present` [G, S] is 1 for what may be seen. None where nothing is hidden."""
    return None if bool(present.all()) else (1.0 - present[:, None, None].float()) * UNSEEN
