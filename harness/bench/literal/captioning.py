"""Captions as the paper's code makes them: `generate` of transformers 4.12.5, its rules written down in `harness/engine/beam_search.py`.

A row is a beam, with the tokens of its image. Keys and values of its words are kept, those of the image made again at every step; the
rows of an image that is done stay, filled with padding, until all images are.
"""

import torch
from torch import Tensor

from harness.bench.literal.bert import Decoded, Past, decode
from harness.bench.literal.swin import encode
from harness.engine.beam_search import Beams, Finished, Hypothesis
from harness.models.fusion.language_model import LanguageModel
from harness.models.xvlm.heads import CaptioningNetwork

UNOPENED = -1e9  # the sum with which all beams but the first begin: at first, they are copies of it


def caption(
    network: CaptioningNetwork, images: Tensor, *, prompt: list[int], end: int, beams: Beams
) -> list[Hypothesis]:
    """Return the best text that goes on after `prompt`, up to `end`, for each normalised image [B, 3, R, R]."""
    seen = encode(network.vision_encoder, network.architecture.vision, images)
    return generate(network.text_decoder, seen, prompt=prompt, end=end, beams=beams)


def generate(
    decoder: LanguageModel, seen: Tensor, *, prompt: list[int], end: int, beams: Beams
) -> list[Hypothesis]:
    """Search for the best text about each image, tokens [B, S, C]."""
    count, width, device = len(seen), beams.width, seen.device
    seen = seen.repeat_interleave(width, dim=0)
    texts = torch.tensor(prompt, device=device).repeat(count * width, 1)
    sums = torch.full((count, width), UNOPENED, device=device)
    sums[:, 0] = 0.0
    finished, done = [Finished(width) for _ in range(count)], [False] * count
    past: list[Past] | None = None
    while True:
        decoded = _next(decoder, texts, seen, past)
        words = decoded.logits[:, -1].log_softmax(-1)
        length = texts.shape[1]
        if length < beams.min_length:
            words[:, end] = -torch.inf
        vocabulary = words.shape[-1]
        best = (words + sums.view(-1, 1)).view(count, -1).topk(2 * width, dim=1)
        said_by, said = best.indices // vocabulary, best.indices % vocabulary
        rows = torch.zeros(
            count, width, dtype=torch.long, device=device
        )  # a done image goes on with its first beam, and with padding
        new = torch.zeros_like(rows)
        sums = torch.zeros(count, width, device=device)
        for image in range(count):
            if done[image]:
                continue
            going_on = []
            for rank in range(2 * width):
                row = image * width + int(said_by[image, rank])
                if int(said[image, rank]) != end:
                    going_on.append(rank)
                elif rank < width:
                    finished[image].add(float(best.values[image, rank]), texts[row].tolist())
                if len(going_on) == width:
                    break
            rows[image] = image * width + said_by[image, going_on]
            new[image], sums[image] = said[image, going_on], best.values[image, going_on]
            done[image] = finished[image].is_done(float(best.values[image, 0]) / length)
        texts = torch.cat([texts[rows.view(-1)], new.view(-1, 1)], dim=1)
        if all(done) or texts.shape[1] >= beams.max_length:
            break
        past = [
            Past(keys.index_select(0, rows.view(-1)), values.index_select(0, rows.view(-1)))
            for keys, values in decoded.past
        ]
    for image in range(count):
        for beam in range(width):
            if not done[image]:
                finished[image].add(float(sums[image, beam]), texts[image * width + beam].tolist())
    return [texts_of_image.best() for texts_of_image in finished]


def _next(decoder: LanguageModel, texts: Tensor, seen: Tensor, past: list[Past] | None) -> Decoded:
    """Read the whole texts [B, T] at first, then only the newest word of each."""
    there = torch.ones(seen.shape[:2], device=seen.device)
    return decode(
        decoder,
        texts if past is None else texts[:, -1:],
        torch.ones_like(texts),
        seen=seen,
        seen_present=there,
        past=past,
    )
