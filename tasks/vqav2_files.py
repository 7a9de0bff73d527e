"""What is published about VQAv2's files: where they lie and come from, hashes, official counts."""

from harness.dataset import CC_BY, Dataset, Digest, HubCopy, HubPart, Origin
from harness.formats.coco import coco_archive
from harness.formats.folder import Needed
from harness.formats.hub_rows import write_vqa

IMAGE_FOLDER = {"val": "val2014", "test-dev": "test2015", "test": "test2015"}
# Ours and the original's, those of X-VLM, ALBEF, BLIP and LAVIS, and the data folder itself.
FOLDERS = (
    *("vqa/", "VQAv2/", "data/finetune/", "finetune/", "data/", "annotation/"),
    *("coco/annotations/", "vqav2/annotations/", ""),
)
PAGE = "https://visualqa.org/download.html"


def _archive(name: str, member: str) -> Origin:
    return Origin(
        name=name,
        url=f"https://s3.amazonaws.com/cvmlp/vqa/mscoco/vqa/{name}",
        instructions=PAGE,
        format="zip",
        licence=CC_BY,
        members={member: f"vqa/{member}"},
        unpacked_limit=10**9,
    )


ANSWER_LIST = Origin(
    name="X-VLM's lists",
    url=None,
    instructions="the link `download json files` in the README of "
    "https://github.com/zengyan-97/X-VLM",
    format="tar",
    licence="BSD-3-Clause",
    members={"answer_list.json": "vqa/answer_list.json"},
    drive="1XFz1Vtz7MCBLn4_1QEojhFJ5Iw3eH3X4",
)

CHOICES = 3_128  # length of X-VLM's list of answers (salesforce/ALBEF, issue 40)
# EvalAI wants all of test2015 for test-dev too.
TEST_COUNTS = {"samples": 447_793, "images": 81_434, "choices": CHOICES}

DATASET = Dataset(
    citation="Goyal et al. 2017, Making the V in VQA Matter, arXiv 1612.00837",
    origins=(
        coco_archive("val2014"),
        coco_archive("test2015"),
        _archive("v2_Questions_Val_mscoco.zip", "v2_OpenEnded_mscoco_val2014_questions.json"),
        _archive("v2_Annotations_Val_mscoco.zip", "v2_mscoco_val2014_annotations.json"),
        _archive("v2_Questions_Test_mscoco.zip", "v2_OpenEnded_mscoco_test2015_questions.json"),
        ANSWER_LIST,
    ),
    digests={
        "answer_list.json": Digest(
            "md5",
            "b4f1d8e29ea45491210885ba930f8a7b",
            "X-VLM's and ALBEF's lists",
            content="b4f1d8e29ea45491210885ba930f8a7b",
        )
    },
    # All images of COCO's captions of val2014.
    images={"val": "6851f8455d66e5479befa0245ef3732e8ff2d9b4103641269708c37d54386bba"},
    # Sources: README of GT-Vision-Lab/VQA, visualqa.org.
    counts={
        "val": {"samples": 214_354, "images": 40_504, "answers": 2_143_540, "choices": CHOICES},
        "test-dev": TEST_COUNTS,
        "test": TEST_COUNTS,
    },
    # Without the list of answers. Its split `testdev` has only 107,394 of the questions.
    hub=HubCopy(
        repository="lmms-lab/VQAv2",
        revision="main",
        format="vqa",
        parts=(HubPart(("val",), ("validation",)), HubPart(("test-dev", "test"), ("test",))),
        licence=CC_BY,
        convert=write_vqa,
    ),
)


def _questions(original: str, flat: str) -> Needed:
    names = (f"v2_OpenEnded_mscoco_{original}_questions.json", flat)
    return Needed(
        tuple(f"{folder}{name}" for name in names for folder in FOLDERS), "the questions", PAGE
    )


QUESTIONS = {
    "val": _questions("val2014", "vqa_val.json"),
    "test-dev": _questions("test2015", "vqa_test.json"),
    "test": _questions("test2015", "vqa_test.json"),
}
ANNOTATIONS = Needed(
    tuple(f"{folder}v2_mscoco_val2014_annotations.json" for folder in FOLDERS),
    "the answers of ten people",
    PAGE,
    # X-VLM's list of questions holds the answers too.
    substitutes=tuple(f"{folder}vqa_val.json" for folder in FOLDERS),
    required_with=tuple(
        f"{folder}v2_OpenEnded_mscoco_val2014_questions.json" for folder in FOLDERS
    ),
)
ANSWERS = Needed(
    tuple(f"{folder}answer_list.json" for folder in FOLDERS),
    f"the list of {CHOICES:,} answers that X-VLM chooses from",
    f"{ANSWER_LIST.instructions} (data.tar)",
)
