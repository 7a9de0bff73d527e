"""What all tests share: golden folders, and an embedded benchmark that is written once per session."""

import os
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported: no test may reach for the network

TESTS = Path(__file__).parent


def golden_folder() -> Path:
    """Return the golden folder: `XVLM_EVAL_GOLDEN`, else the copy beside the tests."""
    chosen = os.environ.get("XVLM_EVAL_GOLDEN")
    if chosen and not Path(chosen).is_dir():
        raise pytest.UsageError(f"XVLM_EVAL_GOLDEN={chosen}: no such folder")
    places = [Path(chosen)] if chosen else [TESTS / "golden", TESTS.parent.parent / "shared" / "golden"]
    return next(place for place in places if place.is_dir())


def golden_cases(kind: str) -> list[Path]:
    """Return the folders of the golden cases of a kind: those whose names begin with it."""
    return sorted(path for path in golden_folder().iterdir() if path.is_dir() and path.name.startswith(kind))


@pytest.fixture(scope="session", autouse=True)
def own_places(tmp_path_factory: pytest.TempPathFactory):
    """Keep the tests out of the user's cache and configuration, and the user's settings out of the tests."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XVLM_EVAL_CACHE", str(home / "cache"))
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.delenv("XVLM_EVAL_DATA", raising=False)
        patch.delenv("XVLM_EVAL_CHECKPOINTS", raising=False)
        yield
