"""Rows of the embedded benchmark as the copies on the hub hold them."""

from pathlib import Path

import pytest
from datasets import Dataset, Features, Image, List, Value

from harness.registry import find_task
from harness.shapes.benchmark import embedded_data

TEXT, NUMBER, TEXTS = Value("string"), Value("int64"), List(Value("string"))

ANSWER = {
    "answer": Value("string"),
    "answer_confidence": Value("string"),
    "answer_id": Value("int64"),
}


COLUMNS = {
    "vqa": {
        "question_type": TEXT, "multiple_choice_answer": TEXT, "answers": List(ANSWER),
        "image_id": NUMBER, "answer_type": TEXT, "question_id": NUMBER, "question": TEXT,
        "image": Image(),
    },
    "karpathy": {
        "filepath": TEXT, "sentids": List(NUMBER), "filename": TEXT, "imgid": NUMBER,
        "split": TEXT, "sentences": TEXTS, "cocoid": NUMBER, "url": TEXT,
    },
    "flickr30k": {
        "image": Image(), "caption": TEXTS, "sentids": TEXTS, "split": TEXT, "img_id": TEXT,
        "filename": TEXT,
    },
    "refcoco": {
        "question_id": TEXT, "image": Image(), "question": TEXT, "answer": TEXTS,
        "segmentation": List(Value("float32")), "bbox": List(Value("float32"), length=4),
        "iscrowd": NUMBER, "file_name": TEXT,
    },
}  # fmt: skip


def write_copy(folder, kind, rows_by_split):
    """Write parquet files with the columns of the copy on the hub; absent values are null."""
    for split, rows in rows_by_split.items():
        whole = [{column: row.get(column) for column in COLUMNS[kind]} for row in rows]
        path = folder / "data" / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        Dataset.from_list(whole, features=Features(COLUMNS[kind])).to_parquet(path)
    return folder


def image(path):
    return {"bytes": Path(path).read_bytes(), "path": Path(path).name}


def vqa_rows(split, hidden=False):
    for question in find_task("vqav2").load(embedded_data(), split)[:60]:
        path = question.images[0]
        answers = (
            {}
            if hidden
            else {
                "answers": list(question.answers),
                "answer_type": question.answer_type,
                "question_type": question.question_type,
            }
        )
        row = {
            "question_id": question.id,
            "question": question.text,
            "image_id": int(path.stem[-12:]),
            "image": image(path),
        }
        yield {**row, **answers, "multiple_choice_answer": "x"}


def caption_rows(name, split):
    for number, picture in enumerate(find_task(name).load(embedded_data(), split)[:30]):
        yield number, picture, picture.images[0]


def refcoco_rows(split):
    by_ref = {}
    for one in find_task("refcoco+").load(embedded_data(), split):
        by_ref.setdefault(one.ref_id, []).append(one)
    for ref_id, expressions in list(by_ref.items())[:40]:
        path = expressions[0].images[0]
        name = path.name.replace(".jpg", f"_{ref_id}.jpg")
        yield {
            "question_id": str(ref_id),
            "image": image(path),
            "answer": [expression.text for expression in expressions],
            "bbox": list(expressions[0].box),
            "file_name": name,
        }


@pytest.fixture(scope="module", autouse=True)
def own_cache_of_datasets(tmp_path_factory):
    """Keep what the package `datasets` writes out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.mktemp("datasets"))
        yield
