"""The model families of this project by name. Nothing is loaded before a family is used."""

from collections.abc import Mapping

from harness.capabilities import (
    Answerer,
    AnswerGenerator,
    AttributeMatcher,
    Captioner,
    DualEncoder,
    Grounder,
    Localizer,
    PairReasoner,
    PairScorer,
)
from harness.family import Family

OVAD_ARGUMENTS = {
    "ovad-prompt": "OVAD's sentences: all, a, the, none or photo",
    "ovad-pooling": "how the similarities of an attribute's sentences are pooled: mean or max",
}
SHORTLIST = {"shortlist": "how many candidates of retrieval and VQA are ranked in full"}
CAPTIONS = {
    "beams": "beams of the search for captions and generated answers (3)",
    "prompt": "text that captions continue (a picture of)",
}
BLOCK = {"block": "the layer that Grad-CAM looks at, from 0 (`block_num`)"}
RESOLUTION = {"resolution": "side of the images in pixels"}

FAMILIES: Mapping[str, Family] = {
    "xvlm": Family(
        title="X-VLM",
        offers=(
            Answerer,
            AttributeMatcher,
            Captioner,
            Grounder,
            Localizer,
            PairReasoner,
            PairScorer,
        ),
        load="harness.models.xvlm.load:load",
        describe="harness.models.xvlm.audit:audit",
        vocabulary=True,
        arguments={**SHORTLIST, **CAPTIONS, **BLOCK, **OVAD_ARGUMENTS},
    ),
    "albef": Family(
        title="ALBEF",
        offers=(Answerer, AttributeMatcher, Localizer, PairReasoner, PairScorer),
        load="harness.models.albef.load:load",
        describe="harness.models.albef.load:describe",
        vocabulary=True,
        arguments={
            **SHORTLIST,
            "gradcam": "what a localization map explains: itm (matching) or itc (cosine)",
            **BLOCK,
            **RESOLUTION,
            **OVAD_ARGUMENTS,
        },
    ),
    "blip": Family(
        title="BLIP",
        offers=(
            Answerer,
            AnswerGenerator,
            AttributeMatcher,
            Captioner,
            PairReasoner,
            PairScorer,
        ),
        load="harness.models.blip.load:load",
        describe="harness.models.blip.load:describe",
        vocabulary=True,
        arguments={
            "answers": "how VQA is answered: ranked out of the list, or generated",
            **SHORTLIST,
            **CAPTIONS,
            "repetition-penalty": "penalty of repeated word pieces in captions (1; nocaps: 1.1)",
            **RESOLUTION,
            **OVAD_ARGUMENTS,
        },
    ),
    "dual": Family(
        title="CLIP, SigLIP and other dual encoders in the layout of transformers",
        offers=(DualEncoder, AttributeMatcher),
        load="harness.models.dual.load:load",
        folder=True,
        describe="harness.models.dual.audit:audit",
        arguments={
            "prompt": "text before every caption, e.g. `a photo of `",
            **OVAD_ARGUMENTS,
        },
    ),
}
