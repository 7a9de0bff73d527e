"""VQA accuracy: the agreement of an answer with those of ten annotators.

Source: the official scorer of VQA v2 (GT-Vision-Lab/VQA, `vqaEval.py`), quirks included. Golden
`vqa_eval`. Two other scorers in circulation give other numbers for the same answers; they are in
SCORERS, too, as named protocols.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
NUMBERS = {"none": "0"} | {word: str(number) for number, word in enumerate(WORDS)}
ARTICLES = ("a", "an", "the")
MARKS = ';/[]"{}()=+\\_-><@`,?!'  # in the scorer's order; it keeps ' : % $ # & and *
COMMA_IN_NUMBER = re.compile(r"\d,\d")
PERIOD = re.compile(r"\.(?!\d)")  # the scorer's look-behind is mistyped and without effect
PERIODS_REMOVED = 32  # the scorer passes the flag re.UNICODE, which is 32, as the count
CACHED = 2**17  # cleaned texts: people give the same answers to many questions
PATTERNS = 2**12  # who of ten agrees: 1,024 patterns
ENOUGH = 3  # other annotators with the same answer make it fully right
ANNOTATORS = 10  # answers to each question of VQA v2, for which the official scorer was made

CONTRACTED = (
    "ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've "
    "hasn't haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am "
    "mightn't mightn't've might've mustn't must've needn't not've o'clock oughtn't 'ow's'at "
    "shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's "
    "someone'd someone'd've someone'll someone's something'd something'd've something'll "
    "that's there'd there'd've there're there's they'd they'd've they'll they're they've "
    "'twas wasn't we'd've we've weren't what'll what're what's what've when's where'd where's "
    "where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't "
    "wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've"
)


def _without_one_apostrophe(word: str) -> list[str]:
    return [word[:index] + word[index + 1 :] for index, char in enumerate(word) if char == "'"]


# The scorer's contractions: each word with one apostrophe missing. One entry is reversed there.
CONTRACTIONS = {
    typed: word for word in CONTRACTED.split() for typed in _without_one_apostrophe(word)
} | {"somebody'd": "somebodyd"}

Answer = Mapping[str, object]  # one annotator's: `answer`, `answer_confidence`, `answer_id`


def official(prediction: str, answers: Sequence[Answer]) -> float:
    """Return the accuracy in 0..1 of the official scorer: unanimous answers are compared uncleaned.

    >>> unanimous = [{"answer": "yes", "answer_id": number} for number in range(10)]
    >>> official("yes", unanimous), official("Yes", unanimous)
    (1.0, 0.0)
    """
    texts = [_stripped(str(answer["answer"])) for answer in answers]
    prediction = _stripped(prediction)
    if len(set(texts)) > 1:
        texts, prediction = [clean(text) for text in texts], clean(prediction)
    return _agreement(prediction, answers, texts)


def always_clean(prediction: str, answers: Sequence[Answer]) -> float:
    """Return the accuracy in 0..1 with both sides always cleaned (lmms-eval).

    >>> unanimous = [{"answer": "yes", "answer_id": number} for number in range(10)]
    >>> always_clean("Yes", unanimous)
    1.0
    """
    texts = [clean(_stripped(str(answer["answer"]))) for answer in answers]
    return _agreement(clean(_stripped(prediction)), answers, texts)


def bundled(prediction: str, answers: Sequence[Answer]) -> float:
    """Return the accuracy in 0..1 of the older scorer that ALBEF, X-VLM and LAVIS carry unused.

    It always cleans the prediction; of answers that differ, it cleans the punctuation only.

    >>> capitals = [{"answer": "Yes", "answer_id": number} for number in range(10)]
    >>> bundled("Yes", capitals)
    0.0
    """
    texts = [str(answer["answer"]) for answer in answers]
    if len(set(texts)) > 1:
        texts = [without_punctuation(text) for text in texts]
    return _agreement(clean(_stripped(prediction)), answers, texts)


def any_number(prediction: str, answers: Sequence[Answer]) -> float:
    """Return the accuracy in 0..1 by the official rule, carried over to fewer than ten answers.

    Ten answers or more are scored by `official`. That rule compares each answer with the others,
    so the only true answer of a question would never count. Given m < 10 answers, a prediction
    needs the same share of the votes, `ceil(3 m / 10)`: one of up to three, two of four to six,
    three of more. With n votes its accuracy is min(1, n / needed); both sides are always cleaned.
    One true answer is therefore an exact match of cleaned texts.

    >>> [any_number("The Dog", [{"answer": text}]) for text in ("dog", "cat")]
    [1.0, 0.0]
    >>> votes = [{"answer": text} for text in ("red", "red", "blue", "green")]
    >>> any_number("red", votes), any_number("blue", votes)
    (1.0, 0.5)
    """
    if len(answers) >= ANNOTATORS:
        return official(prediction, answers)
    texts = [clean(_stripped(str(answer["answer"]))) for answer in answers]
    needed = math.ceil(ENOUGH * len(texts) / ANNOTATORS)
    return min(1.0, texts.count(clean(_stripped(prediction))) / needed)


SCORERS: Mapping[str, Callable[[str, Sequence[Answer]], float]] = {
    "official": official,
    "always-clean": always_clean,
    "bundled": bundled,
}


def agreement(prediction: str, answers: Sequence[Answer]) -> float:
    """Return the mean over annotators of min(1, others who answered `prediction` / 3).

    The others are the entries that differ as a whole: all nine if they have ids; without ids,
    equal entries are left out together.

    Two of ten answered "red", so eight annotators have two such others, and two have one:

    >>> texts = ["red"] * 2 + ["blue"] * 8
    >>> answers = [{"answer": text, "answer_id": number} for number, text in enumerate(texts)]
    >>> round(agreement("red", answers), 6)
    0.6
    """
    matching = [answer for answer in answers if answer["answer"] == prediction]
    accuracies = []
    for answer in answers:
        agreeing = len(matching)
        if answer["answer"] == prediction:
            agreeing -= matching.count(answer)
        accuracies.append(min(1.0, agreeing / ENOUGH))
    return sum(accuracies) / len(accuracies)


@lru_cache(CACHED)
def clean(text: str) -> str:
    """Return an answer with punctuation, number words, articles and contractions made uniform.

    >>> clean("The two-tone U.S. flag"), clean("dont"), clean("none")
    ('2 tone us flag', "don't", '0')
    """
    return with_digits_and_without_articles(without_punctuation(text))


@lru_cache(CACHED)
def without_punctuation(text: str) -> str:
    """Return a text with each mark of MARKS deleted or replaced by a space, and without periods.

    A mark is deleted if it stands beside a space anywhere in the text, or if the text has a comma
    between digits. A period before a digit is kept.

    >>> [without_punctuation(text) for text in ("x/y", "x/y 1,000", "5. or .5")]
    ['x y', 'xy 1000', '5 or .5']
    """
    cleaned = text
    for mark in MARKS:
        if mark not in text:
            continue
        beside_space = f"{mark} " in text or f" {mark}" in text
        cleaned = cleaned.replace(mark, "" if beside_space or COMMA_IN_NUMBER.search(text) else " ")
    return PERIOD.sub("", cleaned, count=PERIODS_REMOVED)


def with_digits_and_without_articles(text: str) -> str:
    """Return a text in lower case: number words to ten as digits, no articles, full contractions.

    >>> with_digits_and_without_articles("An Apple and ten pears")
    'apple and 10 pears'
    """
    words = [NUMBERS.get(word, word) for word in text.lower().split()]
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def _agreement(prediction: str, answers: Sequence[Answer], texts: Sequence[str]) -> float:
    """Return `agreement` with answers whose texts are replaced by `texts`."""
    if _have_distinct_ids(answers):
        return _agreement_of_distinct(tuple([text == prediction for text in texts]))
    return agreement(prediction, _with_texts(answers, texts))


def _have_distinct_ids(answers: Sequence[Answer]) -> bool:
    """Return whether no two answers can be equal as a whole: each has an id of its own."""
    try:
        return len({answer["answer_id"] for answer in answers}) == len(answers)
    except (KeyError, TypeError):  # no id, or one that cannot be hashed
        return False


@lru_cache(PATTERNS)
def _agreement_of_distinct(matches: tuple[bool, ...]) -> float:
    """Return `agreement` with distinct answers, summed in their order, given who agrees."""
    total = sum(matches)
    accuracies = [min(1.0, (total - match) / ENOUGH) for match in matches]
    return sum(accuracies) / len(accuracies)


def _with_texts(answers: Sequence[Answer], texts: Sequence[str]) -> list[Answer]:
    return [
        answer if answer["answer"] == text else {**answer, "answer": text}
        for answer, text in zip(answers, texts, strict=True)
    ]


@lru_cache(CACHED)
def _stripped(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()
