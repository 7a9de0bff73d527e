"""A package with two tasks, of which one states its dataset, and the archive of its files."""

import io
import json
import zipfile

from PIL import Image

ANNOTATIONS = json.dumps([{"id": number, "image": f"{number}.png"} for number in range(3)]).encode()
MODULE = """
import json

from harness.capabilities import Grounder
from harness.dataset import Dataset, Digest, HubCopy, HubPart, Origin
from harness.formats.folder import Needed
from harness.task import Sample, Scores, Task

ARCHIVE = Origin(
    name="mazes.zip", url="{url}/mazes.zip", instructions="https://mazes.example", format="zip",
    licence="CC0", members={{"test.json": "mazes/test.json", "pictures/": "images/mazes"}},
)


def convert(rows, root):
    entries = [dict(row) for row in rows.read("everything", ("id", "image_name"))]
    (root / "mazes").mkdir()
    content = [{{"id": entry["id"], "image": entry["image_name"]}} for entry in entries]
    (root / "mazes" / "test.json").write_text(json.dumps(content))
    return {{"test": {{"samples": len(entries)}}}}


class Plain(Task):
    name = "plain"
    version = 1
    splits = ("test",)
    primary = "accuracy"
    needs = (Grounder,)
    protocol = "exact"

    def files(self, split):
        return (
            Needed(("mazes/test.json", "test.json"), "the mazes", "https://mazes.example"),
            Needed(("images/mazes",), "the pictures", "https://mazes.example", folder=True),
        )

    def load(self, data, split):
        annotations, images = self.files(split)
        entries = json.loads(data.path(annotations).read_text())
        return [Sample(e["id"], (data.expected_path(images) / e["image"],)) for e in entries]

    def fallback_prediction(self, sample):
        return None

    def score(self, samples, predictions):
        return Scores({{"accuracy": 100.0}})

    def score_official(self, samples, path):
        return self.score(samples, {{}})


class Mazes(Plain):
    name = "mazes"
    dataset = Dataset(
        citation="Ariadne, Knossos",
        origins=(ARCHIVE,),
        digests={{"test.json": Digest("sha256", "{sha256}", "mazes.example")}},
        counts={{"test": {{"samples": 3, "images": (2, 4)}}}},
        hub=HubCopy(
            repository="ariadne/mazes", revision="main", format="mazes", licence="CC0",
            parts=(HubPart(splits=("test",), hub_splits=("everything",)),), convert=convert,
        ),
        image_note="mazes are PNG",
    )

    def flat_lists(self, samples):
        return {{f"mazes_{{split}}.json": [s.id for s in rows] for split, rows in samples.items()}}
"""


def archive():
    content, picture = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "png")
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("test.json", ANNOTATIONS)
        for number in range(3):
            file.writestr(f"pictures/{number}.png", picture.getvalue())
    return content.getvalue()
