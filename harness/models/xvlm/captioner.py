"""X-VLM as a captioner: it goes on after "a picture of", by beam search."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.engine.beam_search import Beams, Hypothesis, search
from harness.engine.device import Device
from harness.models.fusion.language_model import LanguageModel
from harness.models.fusion.layers import KV, KVCache
from harness.models.xvlm import costs
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.heads import CaptioningNetwork
from harness.models.xvlm.inputs import Inputs
from harness.models.xvlm.networks import captioning_network
from harness.workload import Cost, Workload

PROMPT = "a picture of "  # all captions begin with it, and lose its 13 characters
BEAMS = Beams(
    width=3, max_length=20, min_length=5
)  # X-VLM's configuration of COCO captioning; lengths count [CLS] and the prompt


class XVLMCaptioner:
    """Implements `harness.capabilities.Captioner` for `captioning` checkpoints: an image is a memory, its beams are the readers."""

    def __init__(self, checkpoint: Checkpoint, vocabulary: Path, device: Device) -> None:
        """Load the weights strictly. Raises CheckpointError where they, or the vocabulary, do not fit."""
        network = captioning_network(checkpoint)
        self.inputs = Inputs(
            network.architecture.vision, network.architecture.text, vocabulary, device
        )
        self.network = self.inputs.placed(network)
        self.protocol = f"captioning|{self.inputs.side}px|bicubic|{BEAMS}|prompt '{PROMPT.strip()}'"
        self.device, self.provenance, self.prepare = (
            device.name,
            self.inputs.provenance,
            self.inputs.prepare,
        )
        self.memory_budget = self.inputs.device.memory_budget

    def caption(self, images: NDArray[np.uint8]) -> list[str]:
        """Return a caption for each image."""
        with self.inputs.device.computing():
            found = self.search(self.inputs.normalised(images), BEAMS)
            return [self.spelled(hypothesis.tokens) for hypothesis in found]

    def cost(self, workload: Workload) -> Cost:
        """Return what it costs to caption images, none of which ends before the longest length."""
        sizes, prompt = self.network.architecture, len(self.inputs.tokenizer.ids(PROMPT))
        return costs.captioning(
            sizes.vision,
            sizes.text,
            workload,
            beams=BEAMS,
            prompt=prompt,
            chunk_sizes=self.inputs.device.chunk_sizes,
        )

    def search(self, images: Tensor, beams: Beams) -> list[Hypothesis]:
        """Return the best text found for each normalised image [M, 3, R, R], as tokens with the prompt's."""
        tokenizer = self.inputs.tokenizer
        return write(
            self.network, images, prompt=tokenizer.ids(PROMPT), end=tokenizer.sep, beams=beams
        )

    def spelled(self, tokens: list[int]) -> str:
        """Return the caption in tokens: their text without its first 13 characters, whatever they are (the reference's own cut)."""
        return self.inputs.tokenizer.text(tokens)[len(PROMPT) :]


def write(
    network: CaptioningNetwork, images: Tensor, *, prompt: list[int], end: int, beams: Beams
) -> list[Hypothesis]:
    """Return the best text that goes on after `prompt`, up to `end`, for each normalised image [M, 3, R, R]."""
    return describe(
        network.text_decoder, network.vision_encoder(images), prompt=prompt, end=end, beams=beams
    )


def describe(
    decoder: LanguageModel, tokens: Tensor, *, prompt: list[int], end: int, beams: Beams
) -> list[Hypothesis]:
    """Return the same for images that are encoded already, tokens [M, S, C]."""
    memory = decoder.bert.project_kv(tokens)
    start = torch.tensor(prompt, device=tokens.device).expand(len(tokens), 1, -1)
    return search(
        Writing(decoder, memory, start, max_length=beams.max_length),
        prompt=prompt,
        end=end,
        beams=beams,
    )


class Writing:
    """What a beam search asks of a decoder: implements `harness.engine.beam_search.Decoder`."""

    def __init__(
        self, decoder: LanguageModel, memory: list[KV], prompt: Tensor, *, max_length: int
    ) -> None:
        """Read a `prompt` [G, 1, T] about each memory; no text will have more than `max_length` tokens."""
        written = decoder.bert.decode(prompt, memory)
        self._decoder, self._memory, self._states = decoder, memory, written.states
        self._past = [KVCache(begun, capacity=max_length) for begun in written.past]

    def next_log_probabilities(self) -> Tensor:
        """Return the log-probability of every word to come next, [G, n, vocabulary]."""
        return self._decoder.log_probabilities(self._states[:, :, -1])

    def step(self, images: Tensor, beams: Tensor, words: Tensor) -> None:
        """Write `words` [G', n'] behind the texts `beams` [G', n'] of the images `images` [G']; all others are forgotten."""
        texts = images[:, None] * self._states.shape[1] + beams
        if len(images) < len(self._states):
            self._memory = [memory.of(images) for memory in self._memory]
        for recalled in self._past:
            recalled.reorder(texts.flatten())
        self._states = self._decoder.bert.decode(
            words[..., None], self._memory, past=self._past
        ).states
