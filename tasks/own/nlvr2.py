"""Reasoning about own pairs of images: NLVR2's protocol on statements of one's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from harness.errors import DataError
from harness.formats.folder import DataFolder
from harness.formats.own.entries import Entries, read_entries
from harness.formats.own.images import shown_images
from harness.formats.own.kinds import PairEntry
from harness.formats.own.predictions import read_labels
from harness.formats.submissions import match_predictions
from harness.task import Prediction, SampleId, Scores
from tasks.nlvr2 import NLVR2, Statement, verdict
from tasks.own.data import OwnData, own_folder


@dataclass(frozen=True)
class OwnStatement(Statement):
    """A statement; `has_label` where its truth is known, `has_group` where it has a group."""

    has_label: bool
    has_group: bool


class OwnNLVR2(OwnData, NLVR2):
    """Reasoning about own pairs of images, one sample per statement."""

    name: ClassVar[str] = "own-nlvr2"
    version: ClassVar[int] = 1
    weights_of: ClassVar[str] = "nlvr2"
    truth: ClassVar[str] = "label"

    def load(self, data: DataFolder, split: str) -> Sequence[OwnStatement]:
        """Read the statements."""
        own = own_folder(data, self)
        entries = read_entries(
            own.annotations, PairEntry, kind="nlvr2", truth=self.truth, more=own.more
        )
        _check_groups(entries)
        names = [(name, e.where) for e in entries.located for name in e.entry.named_images()]
        images = shown_images(names, own.root)
        statements = []
        for each in entries.located:
            entry = each.entry
            left, right = entry.named_images()
            statements.append(
                OwnStatement(
                    id=each.id,
                    images=(images[left].view, images[right].view),
                    text=entry.statement,
                    label=bool(entry.truth),
                    group=str(each.id if entry.group is None else entry.group),
                    image_set=f"{left} {right}" if entry.group is None else str(entry.group),
                    names=(left, right),
                    has_label=entry.has_truth,
                    has_group=entry.group is not None,
                )
            )
        return statements

    def score(self, samples: Sequence[Any], predictions: Mapping[SampleId, Prediction]) -> Scores:
        """Return the accuracy, with groups also the consistency; nothing without labels."""
        if not samples[0].has_label:
            return self.not_scored()
        scores = super().score(samples, predictions)
        if samples[0].has_group:
            return scores
        return Scores(
            {"accuracy": scores.metrics["accuracy"]},
            {"accuracy": scores.statistics["accuracy"]},
            scores.by_sample,
            not_run={"consistency": "the annotations have no 'group'"},
        )

    def export(
        self, samples: Sequence[Any], predictions: Mapping[SampleId, Prediction]
    ) -> Sequence[Mapping[str, Any]]:
        """Return labels by id."""
        return [{"id": s.id, "label": verdict(predictions[s.id], s.id)} for s in samples]

    def official_predictions(
        self, samples: Sequence[Any], path: Path
    ) -> Mapping[SampleId, Prediction]:
        """Return the labels of a file of `id` and `label`."""
        return match_predictions(path, read_labels(path), [sample.id for sample in samples])


def _check_groups(entries: Entries[PairEntry]) -> None:
    """Raise DataError where some statements have a group and others have none."""
    without = [each.where for each in entries.located if each.entry.group is None]
    if 0 < len(without) < len(entries.located):
        raise DataError(
            f"{without[0]}: has no 'group', but others have; give it to all, or to none"
        )
