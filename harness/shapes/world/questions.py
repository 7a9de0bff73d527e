"""Questions about scenes with ten answers each, as in VQA v2."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.shapes.world.expressions import NOUNS
from harness.shapes.world.scenes import (
    BACKGROUNDS,
    COLOURS,
    FILLS,
    SHAPES,
    SIZES,
    Object,
    Rng,
    Scene,
)

ANNOTATORS = 10
QUESTIONS = 5  # per image
NOISE = 0.08  # probability that an annotator gives a wrong answer
PLURALS = {"box": "boxes", "cross": "crosses", "plus": "pluses"}
# The answer list of the embedded benchmark.
ANSWERS = (
    "yes",
    "no",
    *map(str, range(5)),
    *COLOURS,
    *SHAPES,
    *FILLS,
    *SIZES,
    *BACKGROUNDS,
)


@dataclass(frozen=True)
class Question:
    """A question, its types in VQA's terms, its correct answer, and the annotators' answers."""

    text: str
    question_type: str
    answer_type: str
    answer: str
    answers: tuple[str, ...]


def questions(scene: Scene, *, seed: str) -> list[Question]:
    """Return up to five different questions, of all types that the scene allows."""
    rng = Rng(f"questions:{seed}")
    by_text: dict[str, Question] = {}
    for _ in range(10 * QUESTIONS):
        draw = rng.choice(
            (_how_many, _is_there, _what_colour, _what_shape, _what_pattern, _what_background)
        )
        question = draw(scene, rng)
        if question is not None:
            by_text.setdefault(question.text, question)
        if len(by_text) == QUESTIONS:
            break
    return list(by_text.values())


def _how_many(scene: Scene, rng: Rng) -> Question:
    shape = rng.choice(SHAPES) if rng.random() < 0.3 else rng.choice(scene.objects).shape
    count = sum(obj.shape == shape for obj in scene.objects)
    wrong = [str(number) for number in (count - 1, count + 1) if 0 <= number <= 4]
    noun = rng.choice(NOUNS[shape])
    text = f"How many {PLURALS.get(noun, f'{noun}s')} are there?"
    return _answered(text, "how many", "number", str(count), wrong, rng)


def _is_there(scene: Scene, rng: Rng) -> Question:
    obj = rng.choice(scene.objects)
    colour = obj.colour if rng.random() < 0.5 else rng.choice(tuple(COLOURS))
    exists = any(other.shape == obj.shape and other.colour == colour for other in scene.objects)
    answer, wrong = ("yes", "no") if exists else ("no", "yes")
    text = f"Is there a {colour} {rng.choice(NOUNS[obj.shape])}?"
    return _answered(text, "is there a", "yes/no", answer, [wrong], rng)


def _what_colour(scene: Scene, rng: Rng) -> Question | None:
    obj = _unique_object(scene, "shape", rng)
    if obj is None:
        return None
    text = f"What color is the {rng.choice(NOUNS[obj.shape])}?"
    return _answered(text, "what color is the", "other", obj.colour, list(COLOURS), rng)


def _what_shape(scene: Scene, rng: Rng) -> Question | None:
    obj = _unique_object(scene, "colour", rng)
    if obj is None:
        return None
    text = f"What shape is the {obj.colour} object?"
    return _answered(text, "what", "other", obj.shape, SHAPES, rng)


def _what_pattern(scene: Scene, rng: Rng) -> Question | None:
    obj = _unique_object(scene, "shape", rng)
    if obj is None:
        return None
    text = f"What pattern does the {rng.choice(NOUNS[obj.shape])} have?"
    return _answered(text, "what", "other", obj.fill, FILLS, rng)


def _what_background(scene: Scene, rng: Rng) -> Question:
    text = "What color is the background?"
    return _answered(text, "what color is the", "other", scene.background, list(BACKGROUNDS), rng)


def _unique_object(scene: Scene, attribute: str, rng: Rng) -> Object | None:
    """Return an object that alone has its value of `attribute`, or None."""
    values = [getattr(obj, attribute) for obj in scene.objects]
    unique = [obj for obj in scene.objects if values.count(getattr(obj, attribute)) == 1]
    return rng.choice(unique) if unique else None


def _answered(
    text: str,
    question_type: str,
    answer_type: str,
    answer: str,
    candidates: Sequence[str],
    rng: Rng,
) -> Question:
    """Return a question with ten answers: `answer`, or sometimes another of the `candidates`."""
    wrong = [candidate for candidate in candidates if candidate != answer]
    answers = tuple(
        rng.choice(wrong) if rng.random() < NOISE else answer for _ in range(ANNOTATORS)
    )
    return Question(text, question_type, answer_type, answer, answers)
