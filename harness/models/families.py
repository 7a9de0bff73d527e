"""The model families of this project by name. Nothing is loaded before a family is used."""

from collections.abc import Mapping

from harness.capabilities import (
    Answerer,
    AttributeMatcher,
    Captioner,
    DualEncoder,
    Grounder,
    Localizer,
    PairReasoner,
    PairScorer,
)
from harness.family import Family

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
        arguments={},
    ),
    "albef": Family(
        title="ALBEF",
        offers=(Answerer, AttributeMatcher, Localizer, PairReasoner, PairScorer),
        load="harness.models.albef.load:load",
        describe="harness.models.albef.load:describe",
        vocabulary=True,
        arguments={},
    ),
    "blip": Family(
        title="BLIP",
        offers=(Answerer, AttributeMatcher, Captioner, PairReasoner, PairScorer),
        load="harness.models.blip.load:load",
        describe="harness.models.blip.load:describe",
        vocabulary=True,
        arguments={},
    ),
    "dual": Family(
        title="CLIP, SigLIP and other dual encoders in the layout of transformers",
        offers=(DualEncoder,),
        load="harness.models.dual.load:load",
        folder=True,
        describe="harness.models.dual.audit:audit",
        arguments={"prompt": "text before every caption and sentence, e.g. `a photo of `"},
    ),
}
