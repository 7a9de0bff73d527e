"""The weights that can be named, and where they lie.

entries.py     what `checkpoints.yaml`, other packages' files and the user's own describe
weights.py     the file of an entry for a task, or of a path
hub.py         repositories of Hugging Face's hub
vocabulary.py  BERT's vocabulary
"""

from harness.checkpoints.entries import (
    INCLUDE,
    PAPER,
    SHAPES,
    Entry,
    Published,
    Release,
    entries,
    find_entry,
    including,
    normalise_name,
    own_files,
    read_entries,
)
from harness.checkpoints.vocabulary import BERT, HUB_NAMES, VOCABULARY, bert_vocabulary
from harness.checkpoints.weights import Given, Weights, find_weights, given_path, release_path

__all__ = [
    "BERT",
    "HUB_NAMES",
    "INCLUDE",
    "PAPER",
    "SHAPES",
    "VOCABULARY",
    "Entry",
    "Given",
    "Published",
    "Release",
    "Weights",
    "bert_vocabulary",
    "entries",
    "find_entry",
    "find_weights",
    "given_path",
    "including",
    "normalise_name",
    "own_files",
    "read_entries",
    "release_path",
]
