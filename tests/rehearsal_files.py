"""Make files of the real sizes for the rehearsal of a run: weights, a vocabulary, data, results."""

import io
import json
import os
import random
import sys
import time
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from harness.models.fusion.sizes import TextArchitecture
from harness.models.xvlm.architecture import Architecture, VisionArchitecture
from harness.models.xvlm.heads import AnsweringNetwork, fused

IMAGES = {"test2015": 81_434, "val2014": 40_504}
QUESTIONS = {"test2015": 447_793, "val2014": 214_354}
PICTURES, CAPTIONS, ANSWERS = 5_000, 25_010, 3_128
VOCABULARY = 30_522
DISTINCT_IMAGES = 8  # each under thousands of names: hard links
WORDS = [
    "a", "man", "woman", "dog", "red", "blue", "is", "the", "of", "on", "what", "color", "how",
    "many", "are", "there", "in", "this", "left",
]  # fmt: skip
VISION = VisionArchitecture(
    resolution=480, window=15, width=128, depths=(2, 2, 18, 2), heads=(4, 8, 16, 32)
)
TEXT = TextArchitecture(
    vocabulary=VOCABULARY, positions=512, width=768, heads=12, layers=12, fusion_layer=6,
    inner_width=3072, encoder_width=1024,
)  # fmt: skip


def make(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file or folder by another name first, so that a broken one is made again."""
    if not path.exists():
        temporary = path.with_name(f".{path.name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        begin = time.perf_counter()
        write(temporary)
        temporary.rename(path)
        print(f"made {path.name} in {time.perf_counter() - begin:.0f} s", flush=True)


def write_weights(path: Path) -> None:
    """Write a VQA model of base size and the state of its optimizer."""
    decoder = replace(TEXT, layers=6, fusion_layer=0, encoder_width=TEXT.width)
    with torch.device("meta"):
        network = AnsweringNetwork(fused(Architecture(VISION, TEXT)), decoder)
    draws = torch.Generator().manual_seed(0)
    state, moments = OrderedDict(), {}
    parameters = dict(network.named_parameters())
    for number, (name, tensor) in enumerate(parameters.items()):
        state[name] = torch.randn(tensor.shape, generator=draws) * 0.03
        zeros = {key: torch.zeros(tensor.shape) for key in ("exp_avg", "exp_avg_sq")}
        moments[number] = {"step": 1, **zeros}
    for head, source in (("weight", "bert.embeddings.word_embeddings.weight"),
                         ("bias", "cls.predictions.bias")):  # fmt: skip
        state[f"text_decoder.cls.predictions.decoder.{head}"] = state[f"text_decoder.{source}"]
    groups = [{"lr": 1e-5, "params": list(moments)}]
    with _commented_map() as config:
        content = {
            "model": state,
            "optimizer": {"state": moments, "param_groups": groups},
            "config": config,
            "epoch": 9,
        }
        torch.save(content, path)


@contextmanager
def _commented_map() -> Iterator[object]:
    """Yield a configuration whose pickle names ruamel.yaml 0.18's class, installed or not."""
    kind = type("CommentedMap", (OrderedDict,), {"__module__": "ruamel.yaml.comments"})
    modules = {name: types.ModuleType(name) for name in ("ruamel", "ruamel.yaml")}
    modules["ruamel.yaml.comments"] = types.ModuleType("ruamel.yaml.comments")
    vars(modules["ruamel.yaml.comments"])["CommentedMap"] = kind
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield kind({"image_res": 480, "batch_size_test": 32, "k_test": 128})
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def write_vocabulary(path: Path) -> None:
    """Write a vocabulary of the released size, one piece a line."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    pieces += [f"w{number}" for number in range(VOCABULARY - len(pieces))]
    path.write_text("\n".join(pieces) + "\n", encoding="utf-8")


def write_data(root: Path) -> None:
    """Write lists, images, and results of every benchmark that is scored."""
    random_ = random.Random(0)
    for folder, count in IMAGES.items():
        names = [_name(folder, number) for number in range(count)]
        write_images(root / "images" / "coco" / folder, names)
        _write_questions(root / "vqa", folder, count, random_)
    answers = [f"answer {number}" for number in range(ANSWERS)]
    write_json(root / "vqa" / "answer_list.json", answers)
    pictures = [
        {"filename": _name("val2014", number), "filepath": "val2014", "cocoid": number,
         "imgid": number, "split": "test",
         "sentences": [{"raw": sentence(random_)} for _ in range(5 + (number < CAPTIONS % 5_000))]}
        for number in range(PICTURES)
    ]  # fmt: skip
    write_json(root / "coco" / "dataset_coco.json", {"dataset": "coco", "images": pictures})
    captions = [{"image_id": number, "caption": sentence(random_)} for number in range(PICTURES)]
    write_json(root / "captions.json", captions)
    draws, texts = np.random.default_rng(0), sum(len(p["sentences"]) for p in pictures)
    i2t = draws.standard_normal((PICTURES, texts), dtype=np.float32)
    np.savez(root / "matrices.npz", score_matrix_i2t=i2t, score_matrix_t2i=i2t.T)


def _write_questions(root: Path, folder: str, images: int, random_: random.Random) -> None:
    ids = [
        (number * 100 + number // images, number % images) for number in range(QUESTIONS[folder])
    ]
    questions = [
        {"question_id": id, "image_id": image, "question": f"{sentence(random_)}?"}
        for id, image in ids
    ]
    write_json(root / f"v2_OpenEnded_mscoco_{folder}_questions.json", {"questions": questions})
    if folder == "val2014":
        annotations = [
            {"question_id": id, "image_id": image, "answer_type": "other",
             "question_type": "what", "multiple_choice_answer": "answer 1",
             "answers": [{"answer": f"answer {random_.randrange(4)}", "answer_confidence": "yes",
                          "answer_id": number} for number in range(1, 11)]}
            for id, image in ids
        ]  # fmt: skip
        write_json(root / f"v2_mscoco_{folder}_annotations.json", {"annotations": annotations})
        results = [{"question_id": id, "answer": f"answer {random_.randrange(4)}"} for id, _ in ids]
        write_json(root.parent / "answers.json", results)


def write_images(folder: Path, names: Sequence[str]) -> None:
    """Write a picture under each name; all are links to the first few."""
    folder.mkdir(parents=True)
    draws = np.random.default_rng(0)
    for number, name in enumerate(names):
        if number < DISTINCT_IMAGES:
            coarse = draws.integers(0, 256, (60, 80, 3), dtype=np.uint8)
            file = io.BytesIO()
            Image.fromarray(coarse).resize((640, 480)).save(file, "JPEG", quality=92)
            (folder / name).write_bytes(file.getvalue())
        else:
            os.link(folder / names[number % DISTINCT_IMAGES], folder / name)


def _name(folder: str, number: int) -> str:
    return f"COCO_{folder}_{number:012d}.jpg"


def sentence(random_: random.Random) -> str:
    """Return a few words that mean nothing."""
    return " ".join(random_.choices(WORDS, k=random_.randint(5, 12)))


def write_json(path: Path, content: object) -> None:
    """Write a file, and its folder if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
