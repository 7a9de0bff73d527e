"""Generate captions by beam search over a decoder that cross-attends to image tokens."""

import torch
from torch import Tensor

from harness.engine.beam_search import Beams, Decoder, Hypothesis, search
from harness.models.fusion.kv import CrossKV, KVCache
from harness.models.fusion.language_model import LanguageModel
from harness.models.fusion.static_decoder import StaticDecoding


def generate_captions(
    decoder: LanguageModel,
    image_tokens: Tensor,
    *,
    prompt: list[int],
    end: int,
    beams: Beams,
    mask: Tensor | None = None,
    static: StaticDecoding | None = None,
) -> list[Hypothesis]:
    """Return the best continuation of `prompt`, up to the token `end`, for each of M images.

    `image_tokens` are [M, S, C]; `mask` [M, S] is 0 for tokens that nothing may attend to.
    With `static`, images without a mask are decoded in its buffers.
    """
    images = decoder.bert.project_kv(image_tokens, mask)
    ids = torch.tensor(prompt, device=image_tokens.device).expand(len(image_tokens), 1, -1)
    state: Decoder | None = None
    if static is not None and mask is None:
        state = static.begin(images, ids, width=beams.width, max_length=beams.max_length)
    if state is None:
        state = CachedDecoder(decoder, images, ids, max_length=beams.max_length)
    return search(state, prompt=prompt, end=end, beams=beams)


class CachedDecoder:
    """A decoder with a KV cache; implements `harness.engine.beam_search.Decoder`."""

    def __init__(
        self, decoder: LanguageModel, images: CrossKV, prompt: Tensor, *, max_length: int
    ) -> None:
        """Decode a prompt [G, 1, T] about each image; no text may exceed `max_length` tokens."""
        state = decoder.bert.decode(prompt, images)
        self._decoder, self._images, self._states = decoder, images, state.states
        self._caches = [KVCache(layer, capacity=max_length) for layer in state.past]

    def next_log_probabilities(self) -> Tensor:
        """Return the log-probability of every next token, [G, n, vocabulary]."""
        return self._decoder.log_probabilities(self._states[:, :, -1])

    def step(self, images: Tensor, beams: Tensor, tokens: Tensor) -> None:
        """Append `tokens` [G', n'] to the `beams` [G', n'] of `images` [G']; drop all others."""
        texts = images[:, None] * self._states.shape[1] + beams
        if len(images) < len(self._states):
            self._images = self._images.select(images)
        for cache in self._caches:
            cache.reorder(texts.flatten())
        state = self._decoder.bert.decode(tokens[..., None], self._images, past=self._caches)
        self._states = state.states
