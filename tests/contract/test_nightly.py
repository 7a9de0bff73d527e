"""`make nightly` runs every test that has more to try than `make test` has time for."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SETTINGS = re.compile(r"XVLM_EVAL_(?:FUZZ_EXAMPLES|KILLS|NIGHTLY)\b|tests\.support\.arbitrary\b")


def test_every_module_that_the_nightly_settings_change_is_in_the_nightly_target():
    target = (ROOT / "Makefile").read_text(encoding="utf-8").split("nightly: setup\n")[1]
    words = re.findall(r"tests/\S+\.py", target.split("\n\n")[0])
    run = {path for word in words for path in ROOT.glob(word)}
    reading = {
        path
        for path in (ROOT / "tests").rglob("test_*.py")
        if path != Path(__file__) and SETTINGS.search(path.read_text(encoding="utf-8"))
    }
    assert len(reading) > 5 and reading <= run
