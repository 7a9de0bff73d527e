"""A record like those of real runs."""

from harness.records.record import ResultRecord
from harness.statistics.interval import Interval

RECORD = ResultRecord(
    schema=3,
    task="refcoco+",
    task_version=1,
    split="val",
    n=10758,
    subset=None,
    protocol="iou>=0.5|per-expression|bbox|384px|bicubic|30-words",
    metrics={"accuracy": 84.5},
    intervals={"accuracy": Interval(83.5, 85.5)},
    breakdown={"size": {"small": 80.5}},
    not_run={"spice": "no models"},
    checkpoint={
        "name": "x-vlm-base-16m",
        "registered": True,
        "file": "checkpoint_best.pth",
        "sha256": "ab",
    },
    data={"name": "files", "sha256": "cd", "files": {}},
    settings={"dtype": "float32", "device": "cpu"},
    predictions={"file": "refcoco+.val.predictions.jsonl", "sha256": "ef"},
    software={"torch": "2.13.0"},
)
