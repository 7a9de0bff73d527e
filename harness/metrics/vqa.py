"""VQA accuracy: how far an answer agrees with what ten people said.

Source: the official scorer of VQA v2 (GT-Vision-Lab/VQA, `vqaEval.py`), quirks included. Golden `vqa_eval`. Two other scorers in
circulation give other numbers for the same answers; they are here as named protocols.
"""

import re
from collections.abc import Callable, Mapping, Sequence

WORDS_FOR_NUMBERS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
)
NUMBERS = {"none": "0"} | {word: str(number) for number, word in enumerate(WORDS_FOR_NUMBERS)}
ARTICLES = ("a", "an", "the")
MARKS = ';/[]"{}()=+\\_-><@`,?!'  # in the scorer's order; the apostrophe, the colon, %, $, #, & and * are none of them
COMMA_IN_NUMBER = re.compile(r"\d,\d")
PERIOD = re.compile(r"\.(?!\d)")  # the scorer's look-behind is mistyped and without effect
PERIODS_REMOVED = 32  # the scorer passes the flag re.UNICODE, which is 32, where the count belongs
AGREEING = 3  # so many other people make an answer fully right

CONTRACTED = (
    "ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's how'd "
    "how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock oughtn't 'ow's'at "
    "shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've someone'll someone's "
    "something'd something'd've something'll that's there'd there'd've there're there's they'd they'd've they'll they're they've 'twas "
    "wasn't we'd've we've weren't what'll what're what's what've when's where'd where's where've who'd who'd've who'll who's who've "
    "why'll why're why's won't would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've"
)


def _one_apostrophe_missing(word: str) -> list[str]:
    return [word[:place] + word[place + 1 :] for place, letter in enumerate(word) if letter == "'"]


# What the scorer takes for a contraction: the word with one apostrophe missing. One entry of its table is the wrong way round.
CONTRACTIONS = {
    typed: word for word in CONTRACTED.split() for typed in _one_apostrophe_missing(word)
} | {"somebody'd": "somebodyd"}

Answer = Mapping[str, object]  # one person's answer: `answer`, `answer_confidence`, `answer_id`


def official(prediction: str, answers: Sequence[Answer]) -> float:
    """Return the accuracy in 0..1 of a prediction by the official scorer: nothing is cleaned where all people said the same."""
    said = [_trimmed(str(answer["answer"])) for answer in answers]
    prediction = _trimmed(prediction)
    if len(set(said)) > 1:
        said, prediction = [clean(answer) for answer in said], clean(prediction)
    return agreement(
        prediction, [{**answer, "answer": text} for answer, text in zip(answers, said, strict=True)]
    )


def always_clean(prediction: str, answers: Sequence[Answer]) -> float:
    """Return the accuracy in 0..1 with both sides always cleaned (lmms-eval)."""
    return agreement(
        clean(_trimmed(prediction)),
        [{**answer, "answer": clean(_trimmed(str(answer["answer"])))} for answer in answers],
    )


def bundled(prediction: str, answers: Sequence[Answer]) -> float:
    """Return the accuracy in 0..1 by the older scorer that ALBEF, X-VLM and LAVIS carry along (and do not use for their numbers).

    It cleans the prediction always, and of the answers only the punctuation, where they differ.
    """
    said = [str(answer["answer"]) for answer in answers]
    if len(set(said)) > 1:
        said = [without_punctuation(answer) for answer in said]
    return agreement(
        clean(_trimmed(prediction)),
        [{**answer, "answer": text} for answer, text in zip(answers, said, strict=True)],
    )


SCORERS: Mapping[str, Callable[[str, Sequence[Answer]], float]] = {
    "official": official,
    "always-clean": always_clean,
    "bundled": bundled,
}


def agreement(prediction: str, answers: Sequence[Answer]) -> float:
    """Return the mean over people of: how many of the others said `prediction`, three being enough.

    The others are those whose whole entry differs: with ids all nine; without, equal entries vanish together.
    """
    accuracies = []
    for answer in answers:
        agreeing = sum(other["answer"] == prediction for other in answers if other != answer)
        accuracies.append(min(1.0, agreeing / AGREEING))
    return sum(accuracies) / len(accuracies)


def clean(text: str) -> str:
    """Return an answer as the scorer compares it: punctuation, number words, articles and contractions made uniform."""
    return with_digits_and_without_articles(without_punctuation(text))


def without_punctuation(text: str) -> str:
    """Return a text with each mark deleted or replaced by a blank.

    Deleted where the mark stands beside a blank anywhere in the text, or the text has a comma between digits; a blank otherwise.
    """
    cleaned = text
    for mark in MARKS:
        beside_blank = f"{mark} " in text or f" {mark}" in text
        cleaned = cleaned.replace(mark, "" if beside_blank or COMMA_IN_NUMBER.search(text) else " ")
    return PERIOD.sub("", cleaned, count=PERIODS_REMOVED)


def with_digits_and_without_articles(text: str) -> str:
    """Return a text in lower case, number words to ten as digits, without articles, contractions with their apostrophe."""
    words = [NUMBERS.get(word, word) for word in text.lower().split()]
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def _trimmed(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()
