"""X-VLM's text cleaning, bit for bit; golden `k_preprocess` pins it down."""

from harness.models.fusion.preprocessing import clean_caption, clean_question

CAPTION_WORDS = 30  # `max_words` of the reference's retrieval, NLVR2 and grounding configurations
QUESTION_WORDS = 50  # words of a question kept at test time


def pre_caption(text: str, max_words: int = CAPTION_WORDS) -> str:
    """Clean a caption, statement or expression as the reference does.

    A single tab or line break inside stays. Raises ValueError for a text that becomes empty.
    """
    text = clean_caption(text, max_words)
    if not text:
        raise ValueError("nothing is left of the text after cleaning")
    return text


def pre_question(text: str, max_words: int = QUESTION_WORDS) -> str:
    """Clean a question as the reference does: double blanks remain and count as words."""
    return clean_question(text, max_words)
