"""The caption metrics on a user's own captions, each with its 95 % confidence interval."""

from collections.abc import Mapping, Sequence

from harness.metrics.captions import score
from harness.metrics.given import check_text_lists, check_texts
from harness.metrics.measured import Metric
from harness.statistics.intervals import metric_interval


def caption_scores(
    captions: Sequence[str], references: Sequence[Sequence[str]]
) -> Mapping[str, Metric]:
    """Return BLEU-1 to 4, METEOR, ROUGE-L, CIDEr and, where its models are, SPICE.

    One caption for each image, and all references of each. The tokenizer and METEOR are programs in
    Java. CIDEr weights words by the images that mention them: a part of a split scores differently.
    Raises ValueError for no image or an image without references, MissingError without Java.

    >>> texts = ["a red cup on a table", "two dogs run along the beach"]
    >>> scores = caption_scores(texts, [[text] for text in texts])
    >>> round(scores["bleu4"].value, 2), round(scores["cider"].value, 2)
    (100.0, 1000.0)
    """
    if len(captions) != len(references):
        raise ValueError(f"{len(captions)} captions for {len(references)} images")
    check_texts("captions", captions)
    check_text_lists("references", references)
    scores = score(captions, references)
    return {
        name: Metric(value, metric_interval(scores.statistics[name]))
        for name, value in scores.overall.items()
    }
