"""Write tiny models with random weights: a CLIP, and ALBEF and BLIP in their released layouts.

    python examples/make_weights.py FOLDER [SEED]

`FOLDER/clip` is a folder of transformers; `FOLDER/checkpoints.yaml` names the files of ALBEF and
BLIP by task. They show that everything runs; their predictions mean nothing. No network is needed.
"""

import argparse
import sys
from pathlib import Path

import torch
import yaml

# The weights that the tests of this project use.
sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from dual import write_dual_encoder
from random_weights import network, write_vocabulary

sys.path.pop()  # transformers takes any module `kernels` for a package that it knows

HEADS = {
    "albef": {
        "coco-retrieval": "retrieval",
        "flickr30k-retrieval": "retrieval",
        "ovad": "retrieval",
        "refcoco+-weak": "retrieval",
        "vqav2": "vqa",
        "nlvr2": "nlvr",
    },
    "blip": {
        "coco-retrieval": "retrieval",
        "flickr30k-retrieval": "retrieval",
        "ovad": "retrieval",
        "vqav2": "vqa",
        "nlvr2": "nlvr",
        "coco-caption": "captioning",
    },
}


def write(folder: Path, seed: int = 0) -> None:
    """Write all models below a folder."""
    write_dual_encoder(folder / "clip", "clip", seed)
    write_vocabulary(folder / "vocab.txt")
    entries = {}
    for family, heads in HEADS.items():
        for head in sorted(set(heads.values())):
            path = folder / family / f"{head}.pth"
            path.parent.mkdir(exist_ok=True)
            torch.save({"model": network(family, head, seed).state_dict()}, path)
        entries[f"{family}-random"] = {
            "title": f"{family.upper()}, tiny, with random weights",
            "family": family,
            "vocabulary": "vocab.txt",
            "licence": "none",
            "files": {t: {"path": f"{family}/{h}.pth", "head": h} for t, h in heads.items()},
        }
    (folder / "checkpoints.yaml").write_text(yaml.safe_dump(entries, sort_keys=False))


def main() -> None:
    """Write the models into the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("seed", type=int, nargs="?", default=0)
    options = parser.parse_args()
    write(options.folder, options.seed)


if __name__ == "__main__":
    main()
