"""Captions as in the paper's code: `generate` of transformers 4.12.5.

`harness/engine/beam_search.py` documents its rules. A row is a beam, with its copy of the tokens of
its image. Keys and values of the text are cached; those of the image are projected anew at every
step. The rows of a finished image stay, filled with padding, until all images are finished.
"""

import torch
from torch import Tensor

from harness.bench.literal.bert import Decoded, KeyValues, decode
from harness.bench.literal.swin import encode
from harness.engine.beam_search import Beams, Finished, Hypothesis
from harness.models.fusion.language_model import LanguageModel
from harness.models.xvlm.heads import CaptioningNetwork

UNOPENED = -1e9  # initial sum of all beams but the first, because they are copies of it


def caption(
    network: CaptioningNetwork, images: Tensor, *, prompt: list[int], end: int, beams: Beams
) -> list[Hypothesis]:
    """Return the best continuation of `prompt`, up to `end`, for each image [B, 3, R, R]."""
    tokens = encode(network.vision_encoder, network.architecture.vision, images)
    return generate(network.text_decoder, tokens, prompt=prompt, end=end, beams=beams)


def generate(
    decoder: LanguageModel, images: Tensor, *, prompt: list[int], end: int, beams: Beams
) -> list[Hypothesis]:
    """Search for the best text of each image, tokens [B, S, C]."""
    count, width, device = len(images), beams.width, images.device
    images = images.repeat_interleave(width, dim=0)
    texts = torch.tensor(prompt, device=device).repeat(count * width, 1)
    sums = torch.full((count, width), UNOPENED, device=device)
    sums[:, 0] = 0.0
    finished, done = [Finished(width) for _ in range(count)], [False] * count
    past: list[KeyValues] | None = None
    while True:
        decoded = _decode_next(decoder, texts, images, past)
        log_probabilities = decoded.logits[:, -1].log_softmax(-1)
        length = texts.shape[1]
        if length < beams.min_length:
            log_probabilities[:, end] = -torch.inf
        vocabulary = log_probabilities.shape[-1]
        totals = (log_probabilities + sums.view(-1, 1)).view(count, -1)
        best = totals.topk(2 * width, dim=1)
        beam, token = best.indices // vocabulary, best.indices % vocabulary
        # The first beam and padding continue a finished image.
        rows = torch.zeros(count, width, dtype=torch.long, device=device)
        new = torch.zeros_like(rows)
        sums = torch.zeros(count, width, device=device)
        for image in range(count):
            if done[image]:
                continue
            kept = []
            for rank in range(2 * width):
                row = image * width + int(beam[image, rank])
                if int(token[image, rank]) != end:
                    kept.append(rank)
                elif rank < width:
                    finished[image].add(float(best.values[image, rank]), texts[row].tolist())
                if len(kept) == width:
                    break
            rows[image] = image * width + beam[image, kept]
            new[image], sums[image] = token[image, kept], best.values[image, kept]
            done[image] = finished[image].is_done(float(best.values[image, 0]) / length)
        texts = torch.cat([texts[rows.view(-1)], new.view(-1, 1)], dim=1)
        if all(done) or texts.shape[1] >= beams.max_length:
            break
        past = [
            KeyValues(keys.index_select(0, rows.view(-1)), values.index_select(0, rows.view(-1)))
            for keys, values in decoded.past
        ]
    for image in range(count):
        for beam_number in range(width):
            if not done[image]:
                row = image * width + beam_number
                finished[image].add(float(sums[image, beam_number]), texts[row].tolist())
    return [hypotheses.best() for hypotheses in finished]


def _decode_next(
    decoder: LanguageModel, texts: Tensor, images: Tensor, past: list[KeyValues] | None
) -> Decoded:
    """Decode the whole texts [B, T] at first, then only the newest token of each."""
    return decode(
        decoder,
        texts if past is None else texts[:, -1:],
        torch.ones_like(texts),
        encoder_states=images,
        encoder_mask=torch.ones(images.shape[:2], device=images.device),
        past=past,
    )
