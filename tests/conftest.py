"""Set up every test: the environment, golden cases, folders apart from the user's own."""

import gc
import gettext
import os
import signal

import pytest

# Before transformers and torch are imported.
os.environ["HF_HUB_OFFLINE"] = "1"  # no test may reach for the network
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")  # as the command sets it
if "PYTEST_XDIST_WORKER" in os.environ:  # the test processes share the cores
    cores, processes = os.cpu_count() or 1, int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // processes)))
# Every process that a test starts would compile the harness anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in a shell's background
    signal.signal(signal.SIGINT, signal.default_int_handler)

from tests.support.collection import spare_counting
from tests.support.golden import TESTS, golden_folder, golden_params, untested_cases
from tests.support.meteor import keep_meteor
from tests.support.plugins import Package
from tests.support.sharing import shared

# Modules with tests that take several seconds each.
LONG = (
    "running/test_torchrun.py",
    "bench/test_end_to_end.py",
    "bench/test_bench.py",
    "shapes/test_scenes.py",
    "faults/test_kills.py",
    "browser/test_report.py",
)
# Modules that need what takes a process seconds once: one process has it, and not both.
FORKING = (  # a server that has imported all of a run (`support/forked.py`)
    "running/test_full_memory.py",
    "running/test_process.py",
    "contract/test_goldens.py",
    "shapes/test_training.py",
)
IMPORTING = (  # models of transformers
    "api/test_models.py",
    "contract/test_examples.py",
    "models/test_blip_hub_layout.py",
    "models/test_dual.py",
    "running/test_names.py",
)
TOGETHER = {TESTS / name for name in (*LONG, *FORKING, *IMPORTING)}
pytest_plugins = ["tests.support.results"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes a `case` on every golden case of its module's KIND.

    A fixture of the module may keep what it makes of a case, a model for instance.
    """
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", golden_params(metafunc.module.KIND), scope="module")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order whole modules so that of two processes none waits for what the other one makes.

    Each begins with its half of the list. The first begins with the modules that need the run of
    all tasks, half a minute of a core; the second with the parity tests, which need neither that
    run nor the embedded benchmark, with the modules whose tests take seconds each, and with those
    that share what is costly: at the end, short ones are left, which the two can share evenly.
    """
    running = {item.path for item in items if "finished" in getattr(item, "fixturenames", ())}
    first = [item for item in items if item.path in running]
    second = [item for item in items if item.path.parent == TESTS / "parity"]
    second += [item for item in items if item.path in TOGETHER and item.path not in running]
    placed = {*first, *second}
    others = [item for item in items if item not in placed]
    half = max(0, len(items) // 2 - len(first))
    items[:] = [*first, *others[:half], *second, *others[half:]]


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Leave modules and collected tests, which live to the end, out of garbage collection.

    It begins more rarely than by default: it would go through all that tests import since, again
    and again.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        gc.enable()


def pytest_sessionstart() -> None:
    """Refuse a folder without goldens: all tests that compare would be skipped."""
    untested_cases()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the golden folder, if another was chosen, and the cases that no test compares."""
    if os.environ.get("XVLM_EVAL_GOLDEN"):
        terminalreporter.write_line(f"golden: {golden_folder()}")
    for name in untested_cases():
        terminalreporter.write_line(f"golden: no test compares cases of the kind of {name}")


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory):
    """Isolate the tests from the user's cache, configuration and settings.

    The embedded benchmark and the index of METEOR's paraphrases are written into the cache once
    for all test processes. METEOR is started once in each. Messages of argparse are not looked up
    in the user's language, sixty times for each command.
    """
    home = tmp_path_factory.mktemp("home")
    (home / "cache").mkdir()
    for name in ("shapes", "meteor"):
        (home / "cache" / name).symlink_to(shared(tmp_path_factory, name))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XVLM_EVAL_CACHE", str(home / "cache"))
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.delenv("XVLM_EVAL_DATA", raising=False)
        patch.delenv("XVLM_EVAL_CHECKPOINTS", raising=False)
        patch.delenv("XVLM_EVAL_CHECKPOINTS_FILE", raising=False)
        patch.setattr(gettext, "find", lambda *args, **options: [])
        spare_counting(patch)
        keep_meteor(patch)
        yield
    # A file that a test left open in a cycle warns here, in the last test of a process, or never.
    gc.collect()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of somebody else, in a folder on the path: a test installs plugins there."""
    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    package = Package(tmp_path / "site")
    yield package
    package.forget()
