"""The `model-index` of a model card: the front matter of a README.md, with all metrics.

Format: https://github.com/huggingface/hub-docs/blob/main/modelcard.md.
"""

from collections.abc import Sequence
from typing import Any

import yaml

from harness.export.publication import DIGITS, WIDEST, Source
from harness.records.record import ResultRecord
from harness.registry import known_task

# The hub's names of tasks, by the first capability that a benchmark needs.
TYPES = {
    "Answerer": "visual-question-answering",
    "Captioner": "image-to-text",
    "Grounder": "zero-shot-object-detection",
    "Localizer": "zero-shot-object-detection",
}
OTHER = "other"


def model_index(records: Sequence[ResultRecord], *, source: Source) -> str:
    """Return the front matter for the results of one checkpoint."""
    index = {
        "model-index": [
            {
                "name": str(records[0].checkpoint["name"]),
                "results": [_result(record, source) for record in records],
            }
        ]
    }
    body = yaml.safe_dump(index, sort_keys=False, allow_unicode=True, width=WIDEST)
    return f"---\n{body}---\n"


def _result(record: ResultRecord, source: Source) -> dict[str, Any]:
    task = known_task(record.task)
    hub = task.dataset.hub if task else None
    capability = task.needs[0].__name__ if task else ""
    result: dict[str, Any] = {
        "task": {"type": TYPES.get(capability, OTHER), "name": record.task},
        "dataset": {
            "name": record.task,
            "type": hub.repository if hub else record.task,
            "split": record.split,
        },
        "metrics": [_metric(record, name) for name in record.metrics],
    }
    if source.url:
        result["source"] = {"name": source.name or source.url, "url": source.url}
    return result


def _metric(record: ResultRecord, name: str) -> dict[str, Any]:
    arguments: dict[str, Any] = {"protocol": record.protocol, "n": record.n}
    if (interval := record.intervals.get(name)) is not None:
        arguments["interval_95"] = [round(bound, DIGITS) for bound in interval]
    if sha256 := record.checkpoint.get("sha256"):
        arguments["weights_sha256"] = sha256
    return {
        "type": name,
        "name": name,
        "value": round(record.metrics[name], DIGITS),
        "args": arguments,
    }
