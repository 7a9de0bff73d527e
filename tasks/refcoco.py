"""RefCOCO and RefCOCOg: visual grounding in the files, and by the protocol, of RefCOCO+.

RefCOCO (UNC split) allows words for places; RefCOCOg has longer expressions and the splits `umd`
(val, test) and `google`, whose images are in its training split too (val-google). X-VLM released
weights for RefCOCO+ only; papers fine-tune on each of the three, or on all of them.
"""

from collections.abc import Mapping
from typing import ClassVar

from harness.dataset import NOT_STATED, Dataset, Origin
from harness.formats.coco import coco_archive
from harness.formats.folder import Needed
from tasks.refcoco_plus import RefCOCOPlus
from tasks.refcoco_plus_files import ARCHIVE, SPLITS


def _archive(name: str, *references: str) -> Origin:
    """Return the archive of a dataset of REFER, which holds its folder."""
    files = [f"{name}/{file}" for file in (*references, "instances.json")]
    members = {file: file for file in files}
    return Origin(f"{name}.zip", None, ARCHIVE.instructions, "zip", NOT_STATED, members)


def _needed(name: str, file: str, description: str) -> Needed:
    folders = (name, f"data/{name}", f"data/finetune/{name}", f"finetune/{name}")
    paths = tuple(f"{folder}/{file}" for folder in folders)
    return Needed(paths, description, f"{ARCHIVE.instructions}, file {name}.zip")


class RefCOCO(RefCOCOPlus):
    """Visual grounding on RefCOCO's UNC splits; testA refers to people, testB to the rest."""

    name: ClassVar[str] = "refcoco"
    weights_of: ClassVar[str] = "refcoco+"
    extra: ClassVar[bool] = True
    references: ClassVar[Mapping[str, Needed]] = dict.fromkeys(
        SPLITS, _needed("refcoco", "refs(unc).p", "RefCOCO's references, UNC split")
    )
    instances: ClassVar[Needed] = _needed("refcoco", "instances.json", "the boxes of RefCOCO")
    lists: ClassVar[Mapping[str, Needed]] = {}
    dataset: ClassVar[Dataset] = Dataset(
        citation="Kazemzadeh et al. 2014, ReferItGame, EMNLP; "
        "Yu et al. 2016, Modeling Context in Referring Expressions, arXiv 1608.00272",
        origins=(coco_archive("train2014"), _archive("refcoco", "refs(unc).p")),
        # Expressions: FlagEval's documentation; references and images: TensorFlow Datasets.
        counts={
            "val": {"samples": 10_834, "images": 1_500, "references": 3_811},
            "testA": {"samples": 5_657, "images": 750, "references": 1_975},
            "testB": {"samples": 5_095, "images": 750, "references": 1_810},
        },
        no_hub="lmms-lab/RefCOCO mixes Google's 5,000 references of val into UNC's 3,811",
    )


class RefCOCOg(RefCOCOPlus):
    """Visual grounding on RefCOCOg's UMD splits, and on Google's val."""

    name: ClassVar[str] = "refcocog"
    splits: ClassVar[tuple[str, ...]] = ("val", "test", "val-google")
    weights_of: ClassVar[str] = "refcoco+"
    extra: ClassVar[bool] = True
    references: ClassVar[Mapping[str, Needed]] = {
        **dict.fromkeys(
            ("val", "test"), _needed("refcocog", "refs(umd).p", "RefCOCOg's references, UMD split")
        ),
        "val-google": _needed(
            "refcocog", "refs(google).p", "RefCOCOg's references, Google's split"
        ),
    }
    instances: ClassVar[Needed] = _needed("refcocog", "instances.json", "the boxes of RefCOCOg")
    lists: ClassVar[Mapping[str, Needed]] = {}
    dataset: ClassVar[Dataset] = Dataset(
        citation="Mao et al. 2016, Generation and Comprehension of Unambiguous Object "
        "Descriptions, arXiv 1511.02283; UMD split: Nagaraja et al. 2016, arXiv 1608.00525",
        origins=(
            coco_archive("train2014"),
            _archive("refcocog", "refs(umd).p", "refs(google).p"),
        ),
        counts={
            "val": {"samples": 4_896, "images": 1_300, "references": 2_573},
            "test": {"samples": 9_602, "images": 2_600, "references": 5_023},
            "val-google": {"samples": 9_536, "images": 4_650, "references": 5_000},
        },
        no_hub="lmms-lab/RefCOCOg mixes Google's 5,000 references of val into UMD's 2,573",
    )
