"""The stages: for each, what the engine does and what the literal algorithm does with the same weights and inputs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from harness.bench import inputs
from harness.bench.contest import Agreement, Contest, decisions, numbers, rankings
from harness.bench.lab import Lab
from harness.bench.literal import answering, captioning, looking, retrieval
from harness.bench.literal.swin import encode
from harness.capabilities import (
    Answerer,
    AttributeMatcher,
    Captioner,
    Grounder,
    Matches,
    PairReasoner,
    Retriever,
)
from harness.engine.beam_search import Hypothesis
from harness.engine.device import Device
from harness.engine.two_stage_retrieval import encode_gallery, rerank_gallery
from harness.models.fusion.answer_ranking import best_answers, rank_answers
from harness.models.xvlm.answerer import XVLMAnswerer
from harness.models.xvlm.captioner import BEAMS, PROMPT, XVLMCaptioner
from harness.models.xvlm.grounder import XVLMGrounder
from harness.models.xvlm.heads import (
    AnsweringNetwork,
    CaptioningNetwork,
    GroundingNetwork,
    PairNetwork,
    RetrievalNetwork,
)
from harness.models.xvlm.reasoner import XVLMPairReasoner
from harness.models.xvlm.retriever import MAX_TOKENS, XVLMRetriever

END_IS_LIKELY = 12.0  # added to the logit of [SEP], so that short answers win early; with random weights, none ever does


def _retriever(lab: Lab) -> tuple[XVLMRetriever, RetrievalNetwork]:
    return lab.model("retrieval"), lab.network("retrieval")


def rerank(lab: Lab) -> Contest[Tensor]:
    """128 captions beside one image."""
    model, network = _retriever(lab)
    ids = model.token_ids(lab.texts(128, inputs.COCO))
    with Device(lab.device.torch, "float32").computing():
        tokens = encode(network.vision_encoder, network.architecture.vision, lab.images(1))[0]
        states = retrieval.read(network, *lab.padded(ids, length=MAX_TOKENS))
    with lab.device.computing():
        read = model.encode_texts(ids)
    everything = torch.arange(len(ids))
    return Contest(
        engine=lambda: model.rerank(tokens.to(lab.device.storage_dtype), read, everything)[None],
        literal=lambda: retrieval.rerank(network, tokens, states, everything)[None, :, 1],
        compare=rankings,
    )


def retrieve(lab: Lab) -> Contest[Tensor]:
    """6 images and 60 captions, 6 of each on the other's shortlist: from pixels and tokens to scores."""
    model, network = _retriever(lab)
    ids, images, shortlist = model.token_ids(lab.texts(60, inputs.COCO)), lab.images(6), 6

    def engine() -> Tensor:
        seen = encode_gallery([(range(len(images)), images)], model.encode_images, lab.device)
        matches = rerank_gallery(
            seen,
            model.encode_texts(ids),
            model.rerank,
            lab.device,
            shortlist=shortlist,
            wanted=range(len(images)),
        )
        return _by_query(matches, len(images), len(ids))

    def literal() -> Tensor:
        found = retrieval.evaluate(
            network, images, *lab.padded(ids, length=MAX_TOKENS), shortlist=shortlist
        )
        scores = _queries(found.i2t, found.t2i)
        return scores.masked_fill(scores == retrieval.NOT_LISTED, -torch.inf)

    return Contest(engine, literal, rankings)


def text(lab: Lab) -> Contest[Tensor]:
    """128 captions read; the engine goes on to where they begin to look at an image."""
    model, network = _retriever(lab)
    ids = model.token_ids(lab.texts(128, inputs.COCO))
    return Contest(
        engine=lambda: model.encode_texts(ids).features,
        literal=lambda: retrieval.read(network, *lab.padded(ids, length=MAX_TOKENS)).features,
        compare=numbers,
    )


def image(lab: Lab) -> Contest[Tensor]:
    """6 images encoded."""
    model, network = _retriever(lab)
    images = lab.images(6)
    return Contest(
        engine=lambda: model.runtime.encode_images(images).float(),
        literal=lambda: encode(network.vision_encoder, network.architecture.vision, images),
        compare=numbers,
    )


def _by_query(matches: Iterable[Matches], images: int, texts: int) -> Tensor:
    """Return what was looked at as scores of each query, as `_queries` does."""
    scores = torch.full((images, texts), -torch.inf)
    for found in matches:
        scores[found.image, torch.from_numpy(found.texts)] = torch.from_numpy(found.itm)
    return _queries(scores, scores.t())


def _queries(i2t: Tensor, t2i: Tensor) -> Tensor:
    """Return scores image to text and text to image as one row a query, filled up with -inf: [images + texts, the larger of both]."""
    widest = max(i2t.shape)
    rows = [
        F.pad(scores.cpu(), (0, widest - scores.shape[1]), value=-torch.inf)
        for scores in (i2t, t2i)
    ]
    return torch.cat(rows)


def vqa(lab: Lab) -> Contest[Any]:
    """10 questions about 2 images: all answers of the shortlist are read."""
    return _answering(
        lab,
        engine=lambda model, asked, tree: rank_answers(
            model.network.text_decoder, asked, tree, shortlist=lab.size.shortlist
        ),
    )


def vqa_early_stop(lab: Lab) -> Contest[Any]:
    """The same where an answer is likely to end early: the engine reads no more answers than it takes to know the best."""
    lab.forget()
    for network in (lab.model("vqa").network, lab.network("vqa")):
        network.text_decoder.cls.predictions.decoder.bias[
            lab.model("vqa").runtime.tokenizer.sep
        ] += END_IS_LIKELY
    return _answering(
        lab,
        engine=lambda model, asked, tree: best_answers(
            model.network.text_decoder, asked, tree, shortlist=lab.size.shortlist
        ),
    )


def _answering(lab: Lab, *, engine: Callable[..., Any]) -> Contest[Any]:
    model: XVLMAnswerer = lab.model("vqa")
    network: AnsweringNetwork = lab.network("vqa")
    tokenizer, listed = model.runtime.tokenizer, inputs.answers(lab.size.answers, lab.words)
    tree = model.answer_tree(listed)
    answers = answering.Answers(*lab.padded([tokenizer.ids(f"{answer}[SEP]") for answer in listed]))
    images, questions, image_of = (
        lab.images(2, lab.size.side_vqa),
        lab.texts(10, inputs.VQA),
        np.repeat([0, 1], 5),
    )

    def literal() -> answering.Ranking:
        ids, present = lab.padded(model.token_ids(questions))
        states = answering.consider(network, images[torch.from_numpy(image_of)], ids, present)
        return answering.rank_answer(
            network, states, present, answers, shortlist=lab.size.shortlist
        )

    return Contest(
        lambda: engine(model, model.encode_questions(images, questions, image_of), tree),
        literal,
        _same_answers,
    )


def _same_answers(found: Any, expected: answering.Ranking) -> Agreement:
    """Compare rankings; of an engine that tells the best answers only, how much less likely than the best they are."""
    if isinstance(found, Tensor):
        chosen = (expected.answers == found[:, None]).float() * expected.probabilities
        return decisions(
            found.tolist(),
            expected.answers[:, 0].tolist(),
            scores=chosen.sum(1),
            expected_scores=expected.probabilities[:, 0],
        )
    mine, theirs = (
        ranking.probabilities.gather(1, ranking.answers.argsort(1)) for ranking in (found, expected)
    )
    return decisions(
        found.answers.tolist(), expected.answers.tolist(), scores=mine, expected_scores=theirs
    )


def grounding(lab: Lab) -> Contest[Tensor]:
    """14 expressions about 2 images."""
    model: XVLMGrounder = lab.model("bbox")
    network: GroundingNetwork = lab.network("bbox")
    images, expressions, image_of = (
        lab.images(2),
        lab.texts(14, inputs.REFCOCO),
        np.repeat([0, 1], 7),
    )

    def literal() -> Tensor:
        ids, present = lab.padded(model.token_ids(expressions))
        return looking.ground(network, images[torch.from_numpy(image_of)], ids, present).cpu()

    return Contest(lambda: model.locate(images, expressions, image_of), literal, numbers)


def nlvr2(lab: Lab) -> Contest[Tensor]:
    """8 statements about 5 pairs of images."""
    model: XVLMPairReasoner = lab.model("nlvr")
    network: PairNetwork = lab.network("nlvr")
    images, statements = lab.images(10), lab.texts(8, inputs.NLVR2)
    pairs = np.arange(10).reshape(5, 2)[[0, 0, 1, 1, 2, 2, 3, 4]]

    def literal() -> Tensor:
        ids, present = lab.padded(model.token_ids(statements))
        left, right = (images[torch.from_numpy(side)] for side in pairs.T)
        return looking.judge(network, left, right, ids, present).cpu()

    def compare(found: Tensor, expected: Tensor) -> Agreement:
        verdicts = [(logits[:, 1] > logits[:, 0]).tolist() for logits in (found, expected)]
        return decisions(*verdicts, scores=found, expected_scores=expected)

    return Contest(lambda: model.logits(images, statements, pairs), literal, compare)


def caption(lab: Lab) -> Contest[list[Hypothesis]]:
    """6 images described, 3 beams, 20 tokens: with random weights, no caption ends before."""
    model: XVLMCaptioner = lab.model("captioning")
    network: CaptioningNetwork = lab.network("captioning")
    images, tokenizer = lab.images(6), model.runtime.tokenizer
    return Contest(
        engine=lambda: model.generate(images, BEAMS),
        literal=lambda: captioning.caption(
            network, images, prompt=tokenizer.ids(PROMPT), end=tokenizer.sep, beams=BEAMS
        ),
        compare=_same_captions,
    )


def caption_decode(lab: Lab) -> Contest[list[Hypothesis]]:
    """The same with images that are encoded already."""
    model: XVLMCaptioner = lab.model("captioning")
    network: CaptioningNetwork = lab.network("captioning")
    tokenizer = model.runtime.tokenizer
    prompt, end = tokenizer.ids(PROMPT), tokenizer.sep
    with Device(lab.device.torch, "float32").computing():
        tokens = encode(network.vision_encoder, network.architecture.vision, lab.images(6))
    return Contest(
        engine=lambda: model.decode(tokens, BEAMS),
        literal=lambda: captioning.generate(
            network.text_decoder, tokens, prompt=prompt, end=end, beams=BEAMS
        ),
        compare=_same_captions,
    )


def _same_captions(found: list[Hypothesis], expected: list[Hypothesis]) -> Agreement:
    tokens = [[text.tokens for text in side] for side in (found, expected)]
    scores, expected_scores = (
        torch.tensor([text.score for text in side]) for side in (found, expected)
    )
    return decisions(*tokens, scores=scores, expected_scores=expected_scores)


@dataclass(frozen=True)
class Stage:
    """A contest by its name, the capabilities that it is a part of, and the ratio it is to reach at base size on a CPU."""

    name: str
    capabilities: tuple[type, ...]
    floor: float
    contest: Callable[[Lab], Contest[Any]]


STAGES = (  # in an order in which models are made again only where one was changed
    Stage("rerank", (Retriever,), 6.5, rerank),
    Stage("retrieval", (Retriever,), 3.0, retrieve),
    Stage("text", (Retriever, AttributeMatcher), 2.5, text),
    Stage("image", (Retriever, AttributeMatcher), 1.2, image),
    Stage("vqa", (Answerer,), 6.0, vqa),
    Stage("vqa-early-stop", (Answerer,), 10.0, vqa_early_stop),
    Stage("grounding", (Grounder,), 8.0, grounding),
    Stage("nlvr2", (PairReasoner,), 1.9, nlvr2),
    Stage("caption", (Captioner,), 1.9, caption),
    Stage("caption-decode", (Captioner,), 3.8, caption_decode),
)
