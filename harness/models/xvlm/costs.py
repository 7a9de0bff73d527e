"""What an X-VLM costs, from its sizes alone: floating-point operations and bytes.

Counted are the multiplications and additions of matrix products, attention included; all else is below one percent of them. Bytes are those
of float32, an upper bound where a run computes in fewer bits; how many an image takes while it is encoded was measured, not derived.
A `length` is the mean number of tokens of the texts, `seen` how many tokens they look at.
"""

from harness.demand import Cost, Demand
from harness.inference.beams import Beams
from harness.inference.readers import TOKENS
from harness.inference.shortlist import ROWS
from harness.models.xvlm.architecture import PATCH, TextArchitecture, VisionArchitecture

FLOAT = 4  # bytes
AT_ONCE = 18  # times the bytes of its first tokens that an image takes in the encoder: measured with 8 images of 384 px and 4 of 480 px
COMPARED = 16  # bytes for each image and text while shortlists are made: similarity, two masks, a running count
PAIR = 32  # bytes for each pair on the shortlists: two indices, and the same while they are united


def encoding(vision: VisionArchitecture) -> float:
    """Return the operations of one image through the vision encoder (Swin, section 3.3, with its MLPs and mergings)."""
    products = vision.stage_side(0) ** 2 * 3 * PATCH**2 * vision.width
    for stage, depth in enumerate(vision.depths):
        tokens, width, window = vision.stage_side(stage) ** 2, vision.width * 2**stage, vision.stage_window(stage)
        products += depth * tokens * (12 * width**2 + 2 * window**2 * width)
        products += 2 * tokens * width**2 if stage + 1 < len(vision.depths) else 0
    return 2.0 * products


def remembering(text: TextArchitecture, seen: int, *, sets: int | None = None) -> float:
    """Return the operations of making a memory: keys and values for every fusion layer, or so many `sets`."""
    return 4.0 * (_looking_layers(text) if sets is None else sets) * seen * text.memory_width * text.width


def reading(text: TextArchitecture, length: float) -> float:
    """Return the operations of a text through the layers that look at nothing."""
    return 2.0 * text.fusion_layer * length * (_own(text, length) + 2 * text.width * text.inner_width)


def looking(text: TextArchitecture, length: float, seen: float) -> float:
    """Return the operations of a text that was read through the layers that look at a memory."""
    return 2.0 * _looking_layers(text) * length * (_own(text, length) + _look(text, seen))


def beginning(text: TextArchitecture, length: float) -> float:
    """Return the operations of a text attending to itself before it first looks: done once, whatever it looks at."""
    return 2.0 * length * _own(text, length)


def concluding(text: TextArchitecture, length: float, seen: float) -> float:
    """Return the operations of a text that has begun, through the layers that look; in the last one its first token asks alone."""
    layers, keys = _looking_layers(text), 2 * text.width**2
    if layers == 1:
        return 2.0 * _look(text, seen)
    whole = length * _look(text, seen) + (layers - 2) * length * (_own(text, length) + _look(text, seen))
    return 2.0 * (whole + length * keys + _own(text, length) - keys + _look(text, seen))


def wording(text: TextArchitecture) -> float:
    """Return the operations of the distribution over all words at one place."""
    return 2.0 * text.width * (text.width + text.vocabulary)


def looked_at(vision: VisionArchitecture) -> int:
    """Return how many tokens of an image are looked at: the mean and the patches."""
    return 1 + vision.tokens_per_side**2


def grounding(vision: VisionArchitecture, text: TextArchitecture, demand: Demand, *, length: float) -> Cost:
    """Every text looks at one memory, and its first token is asked for."""
    return _one_look(vision, text, demand, length=length, sets=_looking_layers(text))


def judging(vision: VisionArchitecture, text: TextArchitecture, demand: Demand, *, length: float) -> Cost:
    """The same with two fusion layers for every set of keys and values: one for each image."""
    return _one_look(vision, text, demand, length=length, sets=_looking_layers(text) // 2)


def retrieving(vision: VisionArchitecture, text: TextArchitecture, demand: Demand, *, length: float, features: int, kept: int) -> Cost:
    """All images are encoded, all texts read, both kept in numbers of `kept` bytes; then pairs are looked at, image by image."""
    seen, texts = looked_at(vision), len(demand.texts)
    flops = demand.images * (encoding(vision) + remembering(text, seen)) + demand.pairs * concluding(text, length, seen)
    flops += texts * (reading(text, length) + beginning(text, length))
    gallery = demand.images * seen * vision.output_width * kept + texts * length * text.width * kept
    compared = FLOAT * features * (demand.images + texts) + COMPARED * ROWS * max(texts, demand.images) + PAIR * demand.pairs_at_most
    passing = _reader_bytes(text) * TOKENS + _memory_bytes(text, seen)
    return Cost(flops, gallery + compared + passing + _settled_bytes(vision), demand.images * _encoder_bytes(vision))


def comparing(vision: VisionArchitecture, text: TextArchitecture, demand: Demand, *, length: float, features: int) -> Cost:
    """Images are encoded, texts read once; their features are compared."""
    texts = len(demand.texts)
    flops = demand.images * encoding(vision) + texts * reading(text, length) + 2.0 * demand.images * texts * features
    kept = FLOAT * features * texts + _reader_bytes(text) * min(TOKENS, texts * length) + _settled_bytes(vision)
    return Cost(flops, kept, demand.images * (_encoder_bytes(vision) + FLOAT * texts))


def captioning(vision: VisionArchitecture, text: TextArchitecture, demand: Demand, *, beams: Beams, prompt: int) -> Cost:
    """A prompt is read, then as many beams are written as long as they may get: at most this, as some end before."""
    seen, written = looked_at(vision), beams.width * (beams.longest - prompt - 1)
    token = (reading(text, beams.longest) + looking(text, beams.longest, seen)) / beams.longest
    flops = encoding(vision) + remembering(text, seen) + (prompt + written) * token + (1 + written) * wording(text)
    recalled = 2 * beams.width * beams.longest * text.layers * 2 * text.width * FLOAT  # twice: what is written on is copied
    words = 3 * beams.width * text.vocabulary * FLOAT
    each = _encoder_bytes(vision) + 2 * _memory_bytes(text, seen) + recalled + words
    return Cost(demand.images * flops, _settled_bytes(vision), demand.images * each)


def answering(
    vision: VisionArchitecture, text: TextArchitecture, decoder: TextArchitecture, demand: Demand, *, length: float, prefixes: float
) -> Cost:
    """Every question looks at its image and is looked at by `prefixes` of answers: at most this, as most answers need not be read."""
    seen = looked_at(vision)
    question = reading(text, length) + looking(text, length, seen)
    answers = remembering(decoder, round(length)) + looking(decoder, prefixes + 1, length) + (prefixes + 1) * wording(decoder)
    flops = demand.images * (encoding(vision) + remembering(text, seen)) + demand.pairs * (question + answers)
    recalled = prefixes * decoder.layers * 2 * decoder.width * FLOAT
    each = recalled + prefixes * _reader_bytes(decoder) + 2 * FLOAT * (decoder.vocabulary + prefixes**2)
    return Cost(flops, _settled_bytes(vision), _look_bytes(vision, text, demand, length=length) + demand.pairs * each)


def _one_look(vision: VisionArchitecture, text: TextArchitecture, demand: Demand, *, length: float, sets: int) -> Cost:
    seen = looked_at(vision)
    reader = reading(text, length) + beginning(text, length) + concluding(text, length, seen)
    flops = demand.images * (encoding(vision) + remembering(text, seen, sets=sets)) + demand.pairs * reader
    return Cost(flops, _settled_bytes(vision), _look_bytes(vision, text, demand, length=length))


def _looking_layers(text: TextArchitecture) -> int:
    return text.layers - text.fusion_layer


def _own(text: TextArchitecture, length: float) -> float:
    """Return the products of a token that attends to its own text."""
    return 4 * text.width**2 + 2 * length * text.width


def _look(text: TextArchitecture, seen: float) -> float:
    """Return the products of a token that looks at a memory, and thinks."""
    return 2 * text.width**2 + 2 * seen * text.width + 2 * text.width * text.inner_width


def _encoder_bytes(vision: VisionArchitecture) -> float:
    """Return what an image takes while it is encoded: on a GPU every image of a batch, on a CPU only those that are encoded together."""
    return float(AT_ONCE * vision.stage_side(0) ** 2 * vision.width * FLOAT)


def _settled_bytes(vision: VisionArchitecture) -> float:
    """Return what the encoder's biases take, made at first use and kept: of every window where they are moved, elsewhere one for all."""
    numbers = 0
    for stage, (depth, heads) in enumerate(zip(vision.depths, vision.heads, strict=True)):
        side, window = vision.stage_side(stage), vision.stage_window(stage)
        moved = depth // 2 if side > window else 0
        numbers += heads * window**4 * (depth - moved + moved * (side // window) ** 2)
    return float(numbers * FLOAT)


def _memory_bytes(text: TextArchitecture, seen: int) -> float:
    return float(_looking_layers(text) * 2 * seen * text.width * FLOAT)


def _reader_bytes(text: TextArchitecture) -> float:
    """Return what a token takes on its way through a layer: states, queries, keys, values, and the inside of the MLP twice."""
    return float((6 * text.width + 2 * text.inner_width) * FLOAT)


def _look_bytes(vision: VisionArchitecture, text: TextArchitecture, demand: Demand, *, length: float) -> float:
    """Return what images and the texts that look at them take: a memory for each image, and once more in the order of a table's rows."""
    tokens, memory = min(demand.pairs * length, TOKENS), _memory_bytes(text, looked_at(vision))
    rows = min(demand.pairs, demand.images)
    return demand.images * (_encoder_bytes(vision) + memory) + rows * memory + tokens * _reader_bytes(text)
