"""The vocabulary of BERT, which all ALBEF-like models read texts by."""

from collections.abc import Iterable
from pathlib import Path

from harness.dataset import Origin
from harness.errors import MissingError
from harness.files.paths import hub_cache_folder

BERT = "bert-base-uncased"
# Folders of the vocabulary in the cache of Hugging Face's tools.
HUB_NAMES = ("models--google-bert--bert-base-uncased", "models--bert-base-uncased")
VOCABULARY = Origin(
    name="vocab.txt",
    url=f"https://huggingface.co/google-bert/{BERT}/resolve/"
    "86b5e0934494bd15c9632b12f734a8a67f723594/vocab.txt",
    instructions=f"https://huggingface.co/google-bert/{BERT}",
    format="file",
    licence="Apache-2.0",
    members={"vocab.txt": f"{BERT}/vocab.txt"},
    size=231_508,
    sha256="07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
)


def bert_vocabulary(data: Path | None) -> Path:
    """Return the vocabulary of bert-base-uncased, below the data folder or in the hub's cache.

    Raises MissingError if neither has it.
    """
    names = (f"{BERT}/vocab.txt", f"data/{BERT}/vocab.txt", "vocab.txt")
    paths = [data / name for name in names] if data else []
    if path := _first_file(paths):
        return path
    for name in HUB_NAMES:
        for snapshot in sorted(hub_cache_folder().glob(f"{name}/snapshots/*/vocab.txt")):
            return snapshot
    expected = paths[0] if paths else Path("DATA") / BERT / "vocab.txt"
    raise MissingError(
        f"{expected}: missing the vocabulary of {BERT} (30,522 pieces); "
        f"get vocab.txt from https://huggingface.co/google-bert/{BERT}"
    )


def _first_file(paths: Iterable[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)
