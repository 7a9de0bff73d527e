"""The gallery of a result: its samples as cards in JSON's types, with thumbnails, within a budget.

The keys of a card are short, as there may be ten thousands of them; `report.js` reads them:

    id  pics [[thumbnail, label, file, width, height, [[role, x, y, width, height, label]]]]
    text [..]  truth  said (the prediction)  hit (its words in the references, see `overlap`)
    score {measure: value}  wrong  type [..]  sure (confidence)
    more [[title, [[text, score, right, hit]]]]
    was {said, score, flip, boxes}, since the baseline
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.drift.samples import SampleChange
from harness.images import image_file
from harness.report.baseline import Changes, flip
from harness.report.overlap import levels
from harness.report.pictures import boxes_of
from harness.report.selection import worst_first
from harness.report.thumbnails import Thumbnails
from harness.running.stored.samples import StoredSample, StoredSamples
from harness.sample_view import PREDICTION, Details, Item, Picture, SampleView

Card = dict[str, Any]
ITEMS = 12  # of a list of details; right ones beyond these are added
TEXTS = 3  # texts of a sample
MOST_MISSING = 1000  # pictures that cannot be read, after which none is looked for
FIRST = 6  # samples of each gallery that stand in the page as plain HTML


def picture_order(samples: StoredSamples, changes: Changes | None) -> list[int]:
    """Return all samples in the order in which they get pictures and room.

    First those that changed since the baseline, then the first cards, then in turn the lowest
    scores and samples from all over the split.
    """
    changed = [samples.index(id) for id in changes.by_id] if changes else []
    worst = worst_first(samples, range(len(samples)))
    step = max(len(samples) // 97, 1)  # coprime with most lengths of the lists
    spread = [index for start in range(step) for index in range(start, len(samples), step)]
    mixed = (index for pair in zip(worst, spread, strict=True) for index in pair)
    return list(dict.fromkeys([*changed, *worst[:FIRST], *mixed]))


def embed_pictures(orders: Sequence[tuple[StoredSamples, Iterator[int]]], to: Thumbnails) -> None:
    """Embed the pictures of several galleries in turn, one sample of each, as far as they fit."""
    open_orders = list(orders)
    while open_orders and not to.full and len(to.missing) < MOST_MISSING:
        for entry in list(open_orders):
            samples, order = entry
            index = next(order, None)
            if index is None:
                open_orders.remove(entry)
                continue
            for picture in samples[index].view.pictures:
                to.embed(picture)


def cards(
    samples: StoredSamples,
    order: Sequence[int],
    thumbnails: Thumbnails,
    *,
    changes: Changes | None,
    room: int,
) -> list[Card]:
    """Return the cards of a gallery as annotated; only the first of `order` if `room` ends.

    `room` counts the bytes of their JSON.
    """
    kept: dict[int, Card] = {}
    for index in order:
        card = _card(samples[index], thumbnails, changes)
        room -= len(json.dumps(card, ensure_ascii=False).encode("utf-8", "replace"))
        if room < 0:
            break
        kept[index] = card
    return [kept[index] for index in sorted(kept)]


def _card(sample: StoredSample, thumbnails: Thumbnails, changes: Changes | None) -> Card:
    view = sample.view
    references = [d for d in view.details if d.references]
    compared = [item.text for details in references for item in details.items]
    change = changes.by_id.get(sample.id) if changes else None
    card: Card = {
        "id": str(sample.id),
        "pics": [_picture(picture, thumbnails) for picture in view.pictures],
        "text": list(view.texts[:TEXTS]),
        "truth": view.truth,
        "said": view.prediction,
        "hit": levels(view.prediction, compared) if compared else None,
        "score": _rounded(sample.scores),
        "wrong": sample.wrong,
        "type": list(view.types),
        "sure": None if view.confidence is None else round(view.confidence, 4),
        "more": [_details(details, view) for details in view.details],
    }
    if changes and change:
        card["was"] = _before(change, changes)
    return {key: value for key, value in card.items() if value not in (None, [], {})}


def _rounded(scores: Mapping[str, float]) -> dict[str, float]:
    """Return scores with two decimals, without those that are not numbers, which JSON lacks."""
    return {name: round(value, 2) for name, value in scores.items() if math.isfinite(value)}


def _picture(picture: Picture, thumbnails: Thumbnails) -> list[Any]:
    thumbnail = thumbnails.find(picture)
    size = (thumbnail.width, thumbnail.height) if thumbnail else (0, 0)
    boxes = [
        [box.role, *(round(number, 1) for number in box.box), box.label]
        for box in boxes_of(picture)
    ]
    key = thumbnail.key if thumbnail else None
    return [key, picture.label, image_file(picture.view).name, *size, boxes]


def _details(details: Details, view: SampleView) -> list[Any]:
    """Return a list of details: its first items, and of a long one the right ones after them."""
    items = details.items
    shown = [*items[:ITEMS], *(item for item in items[ITEMS:] if item.right)]
    title = details.title
    if len(shown) < len(items):
        title += f" ({len(shown)} of {len(items)} shown)"
    return [title, [_item(item, details, view) for item in shown]]


def _item(item: Item, details: Details, view: SampleView) -> list[Any]:
    """Return an item, without the empty values at its end."""
    values = [
        item.text,
        None if item.score is None or not math.isfinite(item.score) else round(item.score, 3),
        item.right,
        levels(item.text, [view.prediction]) if details.references else None,
    ]
    while values[-1] is None:
        values.pop()
    return values


def _before(change: SampleChange, changes: Changes) -> Card:
    """Return the baseline's prediction and score of a sample that changed, and its boxes."""
    card: Card = {"flip": flip(change)}
    before = changes.sample_before(change.id)
    card["said"] = before.view.prediction
    card["score"] = _rounded(before.scores)
    boxes = [
        [round(number, 1) for number in box.box]
        for picture in before.view.pictures
        for box in picture.boxes
        if box.role == PREDICTION
    ]
    return {**card, "boxes": boxes} if boxes else card
