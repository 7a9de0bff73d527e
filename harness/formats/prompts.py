"""Write the sentences that query an attribute, as OVAD's script for X-VLM does.

Source: OVAD-Benchmark/ovad-benchmark-code, `ova_xvlm.py` and `misc.py`; golden `ovad_prompts`.
Articles are not corrected. Double blanks inside a sentence stay: the tokenizer ignores them.
"""

from collections.abc import Mapping, Sequence

ALL = ("a", "the", "none")  # the prompts of `all`, which leaves out `photo`
FURTHER_SYNONYMS = {
    "young/baby": "/kid/kids/child/toddler/boy/girl",
    "adult/old/aged": "/teen/elder",
}
IS = {
    "none": ("{word} {noun}",),
    "a": ("a {word} {noun}", "a {noun} is {word}"),
    "the": ("the {word} {noun}", "the {noun} is {word}"),
    "photo": (
        "a photo of a {word} {noun}",
        "a photo of a {noun} which is {word}",
        "a photo of the {word} {noun}",
        "a photo of the {noun} which is {word}",
    ),
}
HAS = {
    "none": ("{word} {part} {noun}",),
    "a": ("a {word} {part} {noun}", "a {noun} has {word} {part}"),
    "the": ("the {word} {part} {noun}", "the {noun} has {word} {part}"),
    "photo": (
        "a photo of a {word} {part} {noun}",
        "a photo of an {noun} which has {word} {part}",  # "an" as in the script
        "a photo of the {word} {part} {noun}",
        "a photo of the {noun} which has {word} {part}",
    ),
}
TEMPLATES: Mapping[str, Mapping[str, Sequence[str]]] = {"is": IS, "has": HAS}


def sentences(name: str, kind: str, *, prompt: str = "all", noun: str = "") -> list[str]:
    """Return the sentences for an attribute named `type:synonym/synonym`.

    `kind` is `is` or `has`, the verb between object and attribute; `prompt` is none, a, the, photo
    or all. Sentences are ordered by synonym, then prompt, then template.
    """
    type, words = name.split(":")
    words += FURTHER_SYNONYMS.get(words, "")
    part = type.replace(" tone", "")
    prompts = (prompt,) if prompt in IS else ALL
    return [
        template.format(word=word, noun=noun, part=part).strip()
        for word in words.split("/")
        for article in prompts
        for template in TEMPLATES[kind][article]
    ]
