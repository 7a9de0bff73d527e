"""The sentences that ask for an attribute, as OVAD's script for X-VLM makes them.

Source: OVAD-Benchmark/ovad-benchmark-code, `ova_xvlm.py` and `misc.py`. Golden `ovad_prompts`. Articles are not corrected and double blanks
stay inside: the tokenizer ignores them.
"""

from collections.abc import Mapping, Sequence

ALL = ("a", "the", "none")  # what `all` means: the photo sentences are not among them
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
        "a photo of an {noun} which has {word} {part}",  # "an": the script's own
        "a photo of the {word} {part} {noun}",
        "a photo of the {noun} which has {word} {part}",
    ),
}
TEMPLATES: Mapping[str, Mapping[str, Sequence[str]]] = {"is": IS, "has": HAS}


def sentences(name: str, kind: str, *, prompt: str = "all", noun: str = "") -> list[str]:
    """Return the sentences for an attribute called `type:synonym/synonym` that an object `is` or `has` (kind).

    By synonym, then by prompt, then by template. `prompt` is none, a, the, photo or all.
    """
    type, words = name.split(":")
    words += FURTHER_SYNONYMS.get(words, "")
    part = type.replace(" tone", "")
    prompts = (prompt,) if prompt in IS else ALL
    return [
        template.format(word=word, noun=noun, part=part).strip()
        for word in words.split("/")
        for chosen in prompts
        for template in TEMPLATES[kind][chosen]
    ]
