"""Results of RefCOCO+ on files of one's own, without a model: expressions, boxes, a record."""

import json
from pathlib import Path

from harness.cli.main import main
from tests.support import refcoco_files

RIGHT, LEFT = [0.25, 0.5, 0.3, 0.5], [0.9, 0.9, 0.1, 0.1]  # boxes of the object of ref 0, or not


def scored(folder: Path, texts: dict[int, str], *, wrong: frozenset[int] = frozenset()) -> Path:
    """Score boxes for expressions about one object; return the folder of results.

    The data are in `folder / "data"`.
    """
    data = folder / "data"
    if not data.exists():
        refs = refcoco_files.refs()
        refs[0]["sent_ids"] = list(texts)
        refs[0]["sentences"] = [
            {"sent_id": id, "sent": text, "raw": text, "tokens": text.split()}
            for id, text in texts.items()
        ]
        refcoco_files.write(data, refs_content=[refs[0]])
    boxes = [{"sent_id": id, "pred": LEFT if id in wrong else RIGHT} for id in texts]
    predictions = folder / "boxes.json"
    predictions.write_text(json.dumps(boxes))
    out = folder / ("runs-" + "-".join(map(str, sorted(wrong)))[:20])
    arguments = ["--task", "refcoco+", "--split", "val", "--data", str(data)]
    arguments += ["--predictions", str(predictions), "--out", str(out), "--checkpoint", "boxes"]
    assert main(["score", *arguments]) == 0
    return out
