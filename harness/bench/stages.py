"""The stages of `xvlm-eval bench`, each with its comparison and its target."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.bench.comparison import Comparison
from harness.bench.comparisons.answering import prepare_answer_ranking, prepare_early_stop
from harness.bench.comparisons.captioning import prepare_captioning, prepare_decoding
from harness.bench.comparisons.fusion_heads import prepare_grounding, prepare_pairs
from harness.bench.comparisons.retrieval import (
    prepare_image_encoding,
    prepare_reranking,
    prepare_retrieval,
    prepare_text_encoding,
)
from harness.bench.fixtures import Fixtures
from harness.capabilities import (
    Answerer,
    AttributeMatcher,
    Captioner,
    Grounder,
    PairReasoner,
    Retriever,
)


@dataclass(frozen=True)
class Stage:
    """A comparison by its name on the command line, with a title for people.

    `capabilities` are those whose tasks it is a part of; `floor` is the least ratio of literal to
    engine time at base size on a CPU.
    """

    name: str
    title: str
    capabilities: tuple[type, ...]
    floor: float
    prepare: Callable[[Fixtures], Comparison[Any]]


# Stages of one kind of model are neighbours, so that few models are created twice.
STAGES = (
    Stage(
        "rerank",
        "re-ranking, 128 captions of one image",
        (Retriever,),
        6.5,
        prepare_reranking,
    ),
    Stage(
        "retrieval",
        "retrieval end to end, 6 images, 60 captions, 6 on each list",
        (Retriever,),
        3.0,
        prepare_retrieval,
    ),
    Stage(
        "text",
        "128 captions encoded",
        (Retriever, AttributeMatcher),
        2.5,
        prepare_text_encoding,
    ),
    Stage(
        "image",
        "6 images encoded",
        (Retriever, AttributeMatcher),
        1.2,
        prepare_image_encoding,
    ),
    Stage(
        "vqa",
        "VQA, 10 questions / 2 images, the whole shortlist scored",
        (Answerer,),
        6.0,
        prepare_answer_ranking,
    ),
    Stage(
        "vqa-early-stop",
        "the same where short answers are likely, with early stop",
        (Answerer,),
        10.0,
        prepare_early_stop,
    ),
    Stage(
        "grounding",
        "grounding, 14 expressions / 2 images",
        (Grounder,),
        8.0,
        prepare_grounding,
    ),
    Stage(
        "nlvr2",
        "NLVR2, 8 statements / 5 pairs",
        (PairReasoner,),
        1.9,
        prepare_pairs,
    ),
    Stage(
        "caption",
        "captions of 6 images, 3 beams, 20 tokens",
        (Captioner,),
        1.9,
        prepare_captioning,
    ),
    Stage(
        "caption-decode",
        "the same, images encoded before",
        (Captioner,),
        3.8,
        prepare_decoding,
    ),
)
