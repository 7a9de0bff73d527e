"""Files with arbitrary content: drawn by hypothesis, or sound bytes damaged at random.

`make test` tries a few inputs, the same ones every time. `XVLM_EVAL_FUZZ_EXAMPLES=N` (nightly)
tries N random ones per test, others every time; a failure shows how to repeat it.
"""

import copy
import gzip
import os
import random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.formats.folder import DataFolder
from tests.support.official_files import FILES, FLAT_INSTEAD, IMAGE_FOLDERS

NIGHTLY = "XVLM_EVAL_FUZZ_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("XVLM_EVAL_FUZZ_EXAMPLES", "25"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,  # no test measures time
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=not NIGHTLY,
    print_blob=True,
)
NUMBERS = st.one_of(
    st.integers(), st.floats(), st.sampled_from([10**400, -(10**400), 2**63, 1e308, -0.0])
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


def paths(value, path=()):
    """The path to every value in nested lists and objects."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from paths(value[key], (*path, key))


def with_change(content, path, value):
    """A copy of nested content with another value at one path."""
    if not path:
        return value
    content = copy.deepcopy(content)
    item = content
    for key in path[:-1]:
        item = item[key]
    item[path[-1]] = value
    return content


def changed(content):
    return st.builds(with_change, st.just(content), st.sampled_from(list(paths(content))), VALUES)


def seeds(count=EXAMPLES):
    """Seeds of damage: the same every time, or at night, others every time."""
    first = random.randrange(2**32) if NIGHTLY else 0
    print("first seed", first)  # shown where a test fails
    return range(first, first + count)


# What a file may be instead of what was meant, as `harness.files.kinds` recognises it.
OTHER_KINDS = (
    gzip.compress,
    lambda sound: gzip.compress(sound)[:-5],
    lambda sound: b"\xef\xbb\xbf" + sound,
    lambda sound: sound.decode("latin-1").encode("utf-16"),
    lambda sound: sound.replace(b"\n", b"\r\n"),
    lambda sound: sound + b"\n\n",
    lambda sound: sound.replace(b" ", b" \\ud83d", 1),  # half a surrogate pair in JSON
    lambda sound: sound.replace(b" ", "\u2028\u0085".encode(), 1),
    lambda sound: sound * 2,  # every id twice
    lambda sound: b"[" + sound + b"]",  # another container
    lambda sound: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    lambda sound: b"/annex/objects/SHA256E-s9--0.json\n",
    lambda sound: b"<!DOCTYPE html><html><title>Quota exceeded</title></html>",
    lambda sound: b"PK\x03\x04" + sound,
    lambda sound: b"",
    lambda sound: b"\n",
)


def damaged(sound, seed):
    """Random bytes, sound bytes cut short, changed, doubled or left out; or another kind."""
    rng = random.Random(seed)
    start, length = rng.randrange(len(sound) + 1), rng.randrange(1, 9)
    return rng.choice([
        rng.choice(OTHER_KINDS)(sound),
        rng.randbytes(rng.randrange(200)),
        sound[:start],
        sound[:start] + rng.randbytes(length) + sound[start + length :],
        sound[:start] + sound[start : start + length] * 2 + sound[start + length :],
        sound[:start] + sound[start + length :],
    ])  # fmt: skip


def read_or_refused(read, *arguments):
    """What was read, or None where it was refused with a readable HarnessError."""
    try:
        return read(*arguments)
    except HarnessError as error:
        assert 0 < len(str(error)) < 2000 and "Traceback" not in str(error)
        return None


def sound_folder(root):
    """Write all sound annotation files except flat lists, and no images, below `root`."""
    for file in FILES.values():
        if file.path not in FLAT_INSTEAD:
            put(root, file.path, file.written(file.content))
    (root / "refcoco+_val.json").unlink()
    for name in IMAGE_FOLDERS:
        (root / "images" / name).mkdir(parents=True)
    return DataFolder(root, "files")


def put(root, name, content):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
