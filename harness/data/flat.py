"""Write X-VLM's and ALBEF's own lists from whatever a data folder holds, for people who run the authors' code beside this one.

Formats: the dataset classes of zengyan-97/X-VLM. The list of answers of VQA cannot be made from the originals; it comes with X-VLM's files.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.data.inventory import Inspection, Read
from harness.errors import DataError, HarnessError

Entries = list[dict[str, Any]]


def build_flat(inspection: Inspection, folder: Path) -> Iterator[str]:
    """Write the lists of all splits that were read below `folder`, the place of X-VLM's `data/finetune`; yields a sentence for each.

    Raises HarnessError where they cannot be written, DataError in the end for splits that could not be read.
    """
    lists: dict[str, Any] = {}
    for one in inspection.read:
        if one.samples:
            for name, entries in LISTS.get(one.task.name, _none)(one).items():
                if (
                    isinstance(entries, list) and one.split == "testB"
                ):  # X-VLM has testA and testB in one list
                    entries = lists.get(name, []) + entries
                lists[name] = entries
    for name, entries in lists.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(entries, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise HarnessError(f"{path}: cannot be written ({error.strerror})") from error
        yield f"{path}: {len(entries if isinstance(entries, list) else entries['annotations']):,} entries"
    if unread := [
        f"{one.task} {one.split}: {'; '.join(one.found)}"
        for one in inspection.splits
        if not one.counts
    ]:
        raise DataError("\n  ".join(["not written:", *unread]))


def _none(read: Read) -> Mapping[str, Any]:
    return {}


def _vqa(read: Read) -> Mapping[str, Entries]:
    entries = []
    for sample in read.samples:
        answers = {"answer": [said["answer"] for said in sample.said]} if sample.said else {}
        entry = {"question_id": sample.id, "question": sample.text, **answers}
        entries.append({**entry, "image": _last_two(sample.images[0]), "dataset": "vqa"})
    return {"vqa_val.json" if read.split == "val" else "vqa_test.json": entries}


def _nlvr2(read: Read) -> Mapping[str, Entries]:
    entries = [
        {
            "sentence": s.text,
            "label": str(s.label),
            "images": [_last_two(path) for path in s.images],
        }
        for s in read.samples
    ]
    return {f"nlvr_{read.split}.json": entries}


def _captions(read: Read) -> Mapping[str, Any]:
    """Return the list of images with their captions, and the same in COCO's layout, which X-VLM's scoring reads."""
    said = [(sample.id, caption) for sample in read.samples for caption in sample.captions]
    truths = {
        "images": [{"id": sample.id} for sample in read.samples],
        "annotations": [
            {"id": number, "image_id": image_id, "caption": caption}
            for number, (image_id, caption) in enumerate(said)
        ],
    }
    return {
        **_gallery("coco_karpathy", "val2014", read),
        f"coco_karpathy_{read.split}_gt.json": truths,
    }


def _gallery(dataset: str, folder: str, read: Read) -> Mapping[str, Entries]:
    entries = [
        {"image": f"{folder}/{sample.images[0].name}", "caption": list(sample.captions)}
        for sample in read.samples
    ]
    return {f"{dataset}_{read.split}.json": entries}


def _refcoco(read: Read) -> Mapping[str, Entries]:
    entries = [
        {"image": _last_two(sample.images[0]), "text": sample.text, "ref_id": sample.ref_id}
        for sample in read.samples
    ]
    return {f"refcoco+/refcoco+_{'val' if read.split == 'val' else 'test'}.json": entries}


LISTS: Mapping[str, Callable[[Read], Mapping[str, Any]]] = {
    "vqav2": _vqa,
    "nlvr2": _nlvr2,
    "coco-caption": _captions,
    "coco-retrieval": lambda read: _gallery("coco", "val2014", read),
    "flickr30k-retrieval": lambda read: _gallery("flickr30k", "flickr30k-images", read),
    "refcoco+": _refcoco,
}


def _last_two(path: Path) -> str:
    """Return an image as the lists name it: below the folder of its dataset."""
    return f"{path.parent.name}/{path.name}"
