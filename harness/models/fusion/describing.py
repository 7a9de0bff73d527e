"""Describe images: continue a prompt by beam search."""

from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from harness.engine.beam_search import Beams, Hypothesis
from harness.engine.step_graphs import steps_for
from harness.models.fusion import decoding_costs
from harness.models.fusion.adapter import Adapter
from harness.models.fusion.captioning import generate_captions
from harness.models.fusion.networks import CaptioningNetwork
from harness.models.fusion.preprocessing import Images
from harness.models.fusion.static_decoder import StaticDecoding
from harness.workload import Cost, Workload


class FusionCaptioner(Adapter[CaptioningNetwork]):
    """Continue the prompt, e.g. "a picture of", about an image."""

    reads = ("beams", "prompt", "repetition-penalty")
    released_prompt: ClassVar[str]
    released_beams: ClassVar[Beams]

    @cached_property
    def _static(self) -> StaticDecoding | None:
        if not self.runtime.device.step_graphs:
            return None
        return StaticDecoding(self.network.text_decoder, steps_for(self.runtime.device.torch))

    @property
    def prompt(self) -> str:
        """The text that every caption begins with, and is cut after: it is not part of it."""
        return self.settings.prompt or self.released_prompt

    @property
    def beams(self) -> Beams:
        """The beams of the released configuration, with what a user set."""
        return self.settings.beams_of(self.released_beams)

    @property
    def method(self) -> str:
        return "captioning"

    @property
    def generation(self) -> str:
        return f"{self.beams}|prompt '{self.prompt.strip()}'"

    def check_settings(self) -> None:
        pieces = len(self.runtime.tokenizer)
        self.settings.refuse_unfit(self.beams, prompt=len(self.prompt_ids()), vocabulary=pieces)

    def caption(self, images: NDArray[np.uint8]) -> list[str]:
        """Return a caption for each image."""
        with self.runtime.device.computing():
            return [self.spell(text.tokens) for text in self.generate(images, self.beams)]

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of captions that all reach the maximum length."""
        return decoding_costs.captioning(
            self.demand(workload), beams=self.beams, prompt=len(self.prompt_ids())
        )

    def prompt_ids(self) -> list[int]:
        """Return the decoder's first token and the word pieces of the prompt."""
        tokenizer = self.runtime.tokenizer
        return [tokenizer.begin_decoded, *tokenizer.piece_ids(self.prompt)]

    def generate(self, images: Images, beams: Beams) -> list[Hypothesis]:
        """Return the best text, prompt included, for each prepared or normalised image."""
        return self.decode(self.runtime.encode_images(images), beams)

    def decode(self, image_tokens: Tensor, beams: Beams) -> list[Hypothesis]:
        """Return the same for images that are encoded already, tokens [M, S, C]."""
        return generate_captions(
            self.network.text_decoder,
            image_tokens,
            prompt=self.prompt_ids(),
            end=self.runtime.tokenizer.sep,
            beams=beams,
            static=self._static,
        )

    def spell(self, tokens: list[int]) -> str:
        """Return the caption in tokens: the text after as many characters as the prompt has.

        The references cut them too, whatever they are.
        """
        return self.runtime.tokenizer.text(tokens)[len(self.prompt) :]
