"""Predictions of an interrupted run, made of those of a fresh start: `tests.start --predicted`."""

import json
from pathlib import Path

from PIL import Image

from harness.formats.folder import open_folder
from harness.images import image_file
from harness.models.fusion.resizing import resize
from harness.records.fingerprints import Fingerprint, checksum
from harness.records.prediction_lines import sample_line
from harness.registry import find_task
from harness.running.inputs import sample_inputs
from harness.running.prepared import contents_of
from harness.task import load_samples


def predict_share(
    path: Path, data: Path, *, task_name: str, split: str, share: float, side: int
) -> None:
    """Let the prediction file of a fresh start hold predictions of the first share of the samples.

    Each is the file's first one, with the fingerprints of its own inputs; a model prepares images
    of `side` pixels.
    """
    task = find_task(task_name)
    samples = load_samples(task, open_folder(data), split)
    samples = samples[: int(share * len(samples))]
    head, first = path.read_text(encoding="utf-8").splitlines()[:2]
    prediction = json.loads(first)["prediction"]
    files: dict[Path, int] = {}
    pixels: dict[Path, bytes] = {}
    by_inode: dict[int, tuple[int, bytes]] = {}  # checksums of the file and of its pixels
    for sample in samples:
        for file in map(image_file, sample.images):
            if file not in files:
                inode = file.stat().st_ino
                if inode not in by_inode:
                    with Image.open(file) as image:
                        prepared = contents_of(resize(image, side))
                    by_inode[inode] = (
                        checksum([file.read_bytes()]),
                        checksum(prepared).to_bytes(4, "big"),
                    )
                files[file], pixels[file] = by_inode[inode]
    with path.open("w", encoding="utf-8") as output:
        output.write(f"{head}\n")
        for sample in samples:
            of_files = sample_inputs.checksum_of_files(sample.images, files)
            of_texts = sample_inputs.checksum_of_texts(task, sample)
            of_pixels = checksum([pixels[image_file(view)] for view in sample.images])
            inputs = Fingerprint(of_files, of_pixels, of_texts).to_text()
            output.write(sample_line(path, sample.id, prediction, inputs))
    print(f"{len(samples)} predictions written", flush=True)
