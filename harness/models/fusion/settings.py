"""What a user may set of an ALBEF-like model: `--model-args`, or `arguments` in checkpoints.yaml.

They are those that belong to a protocol and differ between published results. The model's protocol
string states every one of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.engine.beam_search import Beams
from harness.errors import UsageError, nearest

GRADCAM = ("itm", "itc")
ANSWERS = ("ranked", "generated")
PROMPTS = ("all", "a", "the", "none", "photo")
POOLING = ("mean", "max")
OVAD = ("ovad-prompt", "ovad-pooling")  # the settings of AttributeMatchers


@dataclass(frozen=True)
class Settings:
    """The settings that a user gave; None where the family's released configuration counts.

    answers             how VQA is answered: `ranked` out of a list, or `generated`
    shortlist           how many candidates of VQA and retrieval are ranked in full
    beams               the beams of captions and generated answers
    prompt              the text that captions continue
    repetition_penalty  the penalty of repeated word pieces in captions
    gradcam             what a localization map explains: image-text matching `itm`, or the cosine
                        `itc`
    block               the layer that Grad-CAM looks at, counted from 0 (`block_num`)
    resolution          side of the images, to which the position table is interpolated
    ovad_prompt         the sentences for OVAD's attributes
    ovad_pooling        how the similarities of an attribute's sentences are pooled
    """

    answers: str | None = None
    shortlist: int | None = None
    beams: int | None = None
    prompt: str | None = None
    repetition_penalty: float | None = None
    gradcam: str | None = None
    block: int | None = None
    resolution: int | None = None
    ovad_prompt: str | None = None
    ovad_pooling: str | None = None

    @classmethod
    def of(cls, arguments: Mapping[str, str]) -> "Settings":
        """Read `--model-args`. Raises UsageError for a value that makes no sense."""
        for name in arguments:
            if name not in PARSERS:
                raise UsageError(f"--model-args {name}: no such argument{nearest(name, PARSERS)}")
        return cls(**{_field(name): PARSERS[name](name, text) for name, text in arguments.items()})

    def refuse_unfit(self, beams: Beams, *, prompt: int, vocabulary: int) -> None:
        """Raise UsageError if these beams cannot continue a prompt of `prompt` tokens."""
        if prompt >= beams.max_length:
            raise UsageError(
                f"--model-args prompt={(self.prompt or '').strip()}: has {prompt} tokens with the "
                f"first one, and texts have at most {beams.max_length}; choose a shorter prompt"
            )
        if 2 * beams.width > vocabulary:  # a search looks at twice as many continuations
            raise UsageError(
                f"--model-args beams={beams.width}: should be at most {vocabulary // 2}, half of "
                "the model's word pieces"
            )

    def beams_of(self, released: Beams) -> Beams:
        """Return the released beams with what was set."""
        penalty = released.repetition_penalty
        return replace(
            released,
            width=self.beams or released.width,
            repetition_penalty=penalty
            if self.repetition_penalty is None
            else self.repetition_penalty,
        )


def _field(name: str) -> str:
    return name.replace("-", "_")


def _choice(*choices: str) -> Callable[[str, str], str]:
    def parse(name: str, text: str) -> str:
        if text not in choices:
            raise _wrong(name, text, " or ".join(choices))
        return text

    return parse


def _integer(least: int) -> Callable[[str, str], int]:
    def parse(name: str, text: str) -> int:
        if not (text.isascii() and text.isdigit()) or int(text) < least:
            raise _wrong(name, text, f"a whole number from {least} on")
        return int(text)

    return parse


def _penalty(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value < 100:
        raise _wrong(name, text, "a number from 1 to less than 100")
    return value


def _prompt(name: str, text: str) -> str:
    if not text.strip():
        raise _wrong(name, text, "a text")
    return f"{text.strip()} "


def _wrong(name: str, text: str, expected: str) -> UsageError:
    return UsageError(f"--model-args {name}={text}: {name} should be {expected}")


PARSERS: Mapping[str, Callable[[str, str], Any]] = {
    "answers": _choice(*ANSWERS),
    "shortlist": _integer(1),
    "beams": _integer(1),
    "prompt": _prompt,
    "repetition-penalty": _penalty,
    "gradcam": _choice(*GRADCAM),
    "block": _integer(0),
    "resolution": _integer(1),
    "ovad-prompt": _choice(*PROMPTS),
    "ovad-pooling": _choice(*POOLING),
}
