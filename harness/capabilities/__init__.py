"""What a model can do, as Protocols. Tasks and models meet here and nowhere else.

    Grounder          an expression and its image -> a box
    Localizer         an expression and its image -> a map of the image
    Answerer          a question, its image and a list of answers -> one of the answers
    AnswerGenerator   a question and its image -> an answer in free words
    PairReasoner      a statement and two images -> true or false
    Captioner         an image -> a caption
    DualEncoder       images, texts -> features, compared by their cosine
    PairScorer        images, texts -> features, and a score for any pair of them
    AttributeMatcher  images and sentences -> a matrix of similarities

A model takes raw texts, and images that it has prepared itself; it returns arrays or Python values.
A model family implements the Protocols that it can; each task names those that it can work with.
The engine does what many models have in common, such as two-stage retrieval; a model offers the
small steps. A grounder of another package, for example, is any object like this one:

    class CentreGrounder:
        protocol, device, provenance = "centre|224px", "cpu", {}

        def prepare(self, image):
            return np.asarray(image.convert("RGB").resize((224, 224)))

        def ground(self, images, expressions, image_of):
            return np.full((len(expressions), 4), 0.5, dtype=np.float32)

A model may offer more: `Collating`, `Tokenizing` and `Shortlisting`, `GroupScorer` beside
`PairScorer`, and `harness.workload.CostModel`. The runner calls it again with smaller batches where
one does not fit into memory.

model.py        Model, and what any model may offer: Collating, Tokenizing, Shortlisting
predicting.py   the capabilities that predict sample by sample
retrieval.py    DualEncoder, PairScorer and GroupScorer, and the galleries that they compare
"""

from harness.capabilities.model import (
    Collating,
    Images,
    ImagesOf,
    Model,
    Pixels,
    Shortlisting,
    Tokenizing,
    shortlist_of,
)
from harness.capabilities.predicting import (
    Answerer,
    AnswerGenerator,
    AttributeMatcher,
    AttributePrompts,
    Captioner,
    Grounder,
    Judgement,
    Localizer,
    PairReasoner,
)
from harness.capabilities.retrieval import (
    AllGather,
    Array,
    DualEncoder,
    EncodedImages,
    EncodedTexts,
    Gallery,
    GroupScorer,
    Matches,
    PairScorer,
    Ranking,
    State,
    States,
    T,
    Texts,
)

__all__ = [
    "AllGather",
    "AnswerGenerator",
    "Answerer",
    "Array",
    "AttributeMatcher",
    "AttributePrompts",
    "Captioner",
    "Collating",
    "DualEncoder",
    "EncodedImages",
    "EncodedTexts",
    "Gallery",
    "Grounder",
    "GroupScorer",
    "Images",
    "ImagesOf",
    "Judgement",
    "Localizer",
    "Matches",
    "Model",
    "PairReasoner",
    "PairScorer",
    "Pixels",
    "Ranking",
    "Shortlisting",
    "State",
    "States",
    "T",
    "Texts",
    "Tokenizing",
    "shortlist_of",
]
