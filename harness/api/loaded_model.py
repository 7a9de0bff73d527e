"""Loaded weights as an object: Pillow images in, Python values in pixels out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from harness.api.arguments import list_texts
from harness.api.images import Picture, are_several, open_picture, prepared
from harness.capabilities import (
    Answerer,
    AttributeMatcher,
    Captioner,
    DualEncoder,
    Gallery,
    Grounder,
    Localizer,
    PairReasoner,
    PairScorer,
)
from harness.checkpoints import Weights, find_entry
from harness.data.resolve import DataSource
from harness.errors import CapabilityError, UsageError, one_of
from harness.metrics.grounding import Box, in_pixels
from harness.registry import load_model as load_capability
from harness.running.pinned import verified_sha256
from harness.task import Task

METHODS: Mapping[str, tuple[type, ...]] = {  # the capabilities of a method, preferred first
    "ground": (Grounder,),
    "localize": (Localizer,),
    "answer": (Answerer,),
    "judge": (PairReasoner,),
    "caption": (Captioner,),
    "similarity": (PairScorer, DualEncoder, AttributeMatcher),
}
SHORTLIST = 128  # answers that are ranked in full, as in VQA v2


class LoadedModel:
    """Weights that are loaded, with a method for each capability. Made by `load_model`.

    A method that the weights lack raises CapabilityError. Images are Pillow images, paths, or
    arrays [H, W, 3] of uint8; a list of images or of texts gives a list of results. Boxes are (x,
    y, width, height) in pixels of the image.
    """

    def __init__(
        self,
        weights: Weights,
        needs: Sequence[type],
        *,
        source: DataSource,
        device: str,
        dtype: str,
    ) -> None:
        self.weights, self.dtype = weights, dtype
        self._source, self._device = source, device
        self._sha256 = verified_sha256(weights)
        # Weights serve some capabilities with one network and others with another head: each is
        # loaded when it is first used.
        self._loaded: dict[type, Any] = {}
        self._first = self.with_capability(needs)

    def __repr__(self) -> str:
        return (
            f"<LoadedModel {self.name}: {self.weights.path.name}, {self.protocol}, {self.device}>"
        )

    @property
    def name(self) -> str:
        """The name of the weights in records."""
        return self.weights.name

    @property
    def sha256(self) -> str:
        """The SHA-256 of the weight file."""
        return self._sha256

    @property
    def protocol(self) -> str:
        """What the model does to its inputs that can move a number."""
        return str(self._first.protocol)

    @property
    def device(self) -> str:
        """The kind of device it computes on."""
        return str(self._first.device)

    @overload
    def ground(self, image: Picture, expressions: str) -> Box: ...
    @overload
    def ground(self, image: Picture, expressions: Sequence[str]) -> list[Box]: ...
    def ground(self, image: Picture, expressions: str | Sequence[str]) -> Box | list[Box]:
        """Return the box that each expression refers to, in pixels of the image.

        A box may reach over the border of the image, as the benchmarks do not clip either.
        """
        picture, texts = open_picture(image), list_texts(expressions)
        model = self._for("ground")
        boxes = model.ground(prepared(model, [picture]), texts, _zeros(texts))
        in_pixels = [_box(box, picture.width, picture.height) for box in boxes]
        return in_pixels[0] if isinstance(expressions, str) else in_pixels

    def localize(self, image: Picture, expressions: str | Sequence[str]) -> NDArray[np.float32]:
        """Return a map [P, P] of where the image shows the expression; [N, P, P] for a list.

        Its cells cover the whole image, top left first; the scale of a map means nothing.
        """
        texts, model = list_texts(expressions), self._for("localize")
        maps = np.asarray(
            model.localize(prepared(model, [open_picture(image)]), texts, _zeros(texts))
        )
        return maps[0] if isinstance(expressions, str) else maps

    @overload
    def answer(self, image: Picture, questions: str, *, answers: Sequence[str]) -> str: ...
    @overload
    def answer(
        self, image: Picture, questions: Sequence[str], *, answers: Sequence[str]
    ) -> list[str]: ...
    def answer(
        self, image: Picture, questions: str | Sequence[str], *, answers: Sequence[str]
    ) -> str | list[str]:
        """Return the likeliest of the `answers` to each question about an image."""
        several = isinstance(answers, Iterable) and not isinstance(answers, str)
        candidates = list(answers) if several else []
        if not candidates or not all(isinstance(answer, str) for answer in candidates):
            raise UsageError('answers should be a list of texts to choose from: ["yes", "no"]')
        texts, model = list_texts(questions), self._for("answer")
        chosen = model.answer(
            prepared(model, [open_picture(image)]),
            texts,
            _zeros(texts),
            answers=candidates,
            shortlist=min(SHORTLIST, len(candidates)),
        )
        likeliest = [candidates[int(index)] for index in chosen]
        return likeliest[0] if isinstance(questions, str) else likeliest

    def judge(self, left: Picture, right: Picture, statement: str) -> bool:
        """Return whether a statement about two images is true."""
        if not isinstance(statement, str):
            raise UsageError(f"statement should be a text, not {statement!r:.80}")
        model = self._for("judge")
        images = prepared(model, [open_picture(left), open_picture(right)])
        (verdict,) = model.judge(images, [statement], np.array([[0, 1]]))
        return bool(getattr(verdict, "answer", verdict))

    def caption(self, images: Picture) -> Any:
        """Return a caption of an image, or a list of them for a list of images."""
        model = self._for("caption")
        pictures = images if are_several(images) else [images]
        captions = [
            str(caption)
            for picture in pictures
            for caption in model.caption(prepared(model, [open_picture(picture)]))
        ]
        return captions if are_several(images) else captions[0]

    def similarity(self, images: Picture, texts: str | Sequence[str]) -> NDArray[np.float32]:
        """Return the score [M, T] of each image and each text; higher fits better.

        It is the matching score where the model has one, else a cosine: comparable between the
        pairs of one model, not between models.
        """
        model, listed = self._for("similarity"), list_texts(texts)
        pictures = [open_picture(one) for one in (images if are_several(images) else [images])]
        array = prepared(model, pictures)
        if isinstance(model, AttributeMatcher):
            return np.asarray(model.similarity(array, listed))
        return _retrieval_scores(model, array, listed)

    def rank(self, image: Picture, texts: Sequence[str]) -> list[tuple[str, float]]:
        """Return texts with their `similarity` to one image, the best first."""
        listed = list_texts(texts)
        scores = self.similarity(image, listed)[0]
        order = np.argsort(-scores, kind="stable")
        return [(listed[int(index)], float(scores[index])) for index in order]

    def with_capability(self, needs: Sequence[type], *, purpose: str = "") -> Any:
        """Return the model behind this object with one of the capabilities, preferred first.

        It is what tasks call: an object of `harness.capabilities`. Raises CapabilityError.
        """
        for kind in needs:
            if kind in self._loaded:
                return self._loaded[kind]
        try:
            model = load_capability(
                self.weights, needs=needs, device=self._device, dtype=self.dtype
            )
        except CapabilityError as error:
            names = one_of(kind.__name__ for kind in needs)
            raise CapabilityError(f"{purpose or self.name} needs {names}: {error}") from error
        for kind in needs:
            if isinstance(model, kind):
                self._loaded[kind] = model
                break
        return model

    def weights_for(self, task: Task) -> Weights:
        """Return the weights, for a run on a task.

        Raises UsageError for an entry of checkpoints.yaml that has another file for the task:
        the record would name the entry, and mean that file.
        """
        if self.weights.release is None:
            return self.weights
        remedy = f"load_model({self.name!r}, task={task.name!r})"
        other = "evaluate(..., name=...) evaluates the loaded ones under another name"
        entry = find_entry(self.name)
        names = (task.name, task.weights_of)
        due = next((entry.files[name] for name in names if entry and name in entry.files), None)
        if due is None:
            raise UsageError(f"{self.name} has no weights for {task.name}; {other}")
        if due.path != self.weights.release.path:
            raise UsageError(
                f"{self.name} has other weights for {task.name} ({due.path}) than those that are "
                f"loaded ({self.weights.release.path}): {remedy} loads them; {other}"
            )
        return self.weights

    def _for(self, method: str) -> Any:
        return self.with_capability(METHODS[method], purpose=f"{self.name}: {method}")


def _zeros(texts: Sequence[str]) -> NDArray[np.int64]:
    """Return the image of each text, where all are about the first."""
    return np.zeros(len(texts), dtype=np.int64)


def _box(box: Sequence[float], width: int, height: int) -> Box:
    return Box(*(float(number) for number in in_pixels(box, width=width, height=height)))


def _retrieval_scores(
    model: Any, images: NDArray[np.uint8], texts: Sequence[str]
) -> NDArray[np.float32]:
    """Return the scores [M, T] that retrieval ranks pairs by."""
    # Imported here: it imports torch, which a model of the user's own may not need.
    from harness.engine.two_stage_retrieval import retrieve

    indices = list(range(len(images)))
    gallery = Gallery(iter([(indices, images, np.arange(len(images)))]), lambda value: [value])
    scores = np.full((len(images), len(texts)), -np.inf, dtype=np.float32)
    for matches in retrieve(
        model, gallery, texts, shortlist=max(len(texts), len(images)), wanted=set(indices)
    ):
        ranked = {
            "itm": matches.itm,
            "itc": matches.itc,
            "itm+itc": matches.itc if matches.itm is None else matches.itm + matches.itc,
        }[matches.ranking]
        scores[matches.image, matches.texts] = ranked
    return scores
