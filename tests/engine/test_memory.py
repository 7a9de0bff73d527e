"""Free memory, read from trees of files as Linux has them, and what is kept of it."""

import platform
import subprocess
import sys
import weakref

import pytest

from harness.engine.device import choose_device
from harness.engine.memory import forget_locals, free_memory, taken_memory
from harness.errors import UsageError

GIB = 2**30


@pytest.fixture
def system(tmp_path):
    """Write files below a root that says 8 GiB are available."""

    def write(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path

    available = f"MemAvailable:    {8 * GIB // 1024} kB"
    write({"proc/meminfo": f"MemTotal: 99999999 kB\nMemFree: 1 kB\n{available}\n"})
    return write


def test_without_limits_the_available_memory_is_free(system):
    assert free_memory(system({"proc/self/cgroup": "0::/\n"})) == 8 * GIB


def test_a_control_group_of_version_2_limits_as_do_its_parents(system):
    root = system({
        "proc/self/cgroup": "0::/job/step\n",
        "sys/fs/cgroup/job/step/memory.max": "max\n",
        "sys/fs/cgroup/job/step/memory.current": "5\n",
        "sys/fs/cgroup/job/memory.max": f"{4 * GIB}\n",
        "sys/fs/cgroup/job/memory.current": f"{3 * GIB}\n",
        "sys/fs/cgroup/job/memory.stat": f"anon 7\ninactive_file {GIB}\n",
    })  # fmt: skip
    # The limit minus the use, plus the file cache that can be dropped.
    assert free_memory(root) == 2 * GIB


def test_a_control_group_of_version_1_limits(system):
    root = system({
        "proc/self/cgroup": "5:cpu:/\n4:memory:/slurm/job_7\n0::/\n",
        "sys/fs/cgroup/memory/slurm/job_7/memory.limit_in_bytes": f"{6 * GIB}\n",
        "sys/fs/cgroup/memory/slurm/job_7/memory.usage_in_bytes": f"{5 * GIB}\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{7 * GIB}\n",
    })  # fmt: skip
    assert free_memory(root) == GIB


def test_a_group_beyond_its_limit_has_nothing_free(system):
    root = system({
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": "100\n",
        "sys/fs/cgroup/memory.current": "200\n",
    })  # fmt: skip
    assert free_memory(root) == 0


def test_unreadable_files_are_no_limit(system):
    root = system(
        {
            "proc/self/cgroup": "0::/gone\n",
            "sys/fs/cgroup/memory.max": "\n",
            "sys/fs/cgroup/memory.current": "many\n",
        }
    )
    assert free_memory(root) == 8 * GIB


def test_this_process_uses_some_memory():
    assert 1e6 < taken_memory() < 1e11


@pytest.mark.parametrize("setting", ["x", "0", "-1", "1.5"])
def test_a_wrong_number_of_processes_is_named(setting, monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", setting)
    with pytest.raises(UsageError, match=f"LOCAL_WORLD_SIZE={setting}: expected a whole number"):
        choose_device("cpu", "float32").memory_budget()


FAULTS = """
import resource
import numpy as np
from harness.engine.memory import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

{first}
for _ in range(2):  # the second time, of memory that was freed
    before = faults()
    arrays = [np.ones(2**17) for _ in range(8)]  # 1 MB each: too small for a huge page
    count = faults() - before
    del arrays
print(count)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the thresholds of GNU's C library")
def test_memory_that_was_freed_is_allocated_again_without_new_pages():
    def pages(first):
        command = [sys.executable, "-c", FAULTS.format(first=first)]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)

    assert pages("keep_freed_memory()") < 100 < pages("pass")


def test_the_locals_of_an_error_that_is_its_own_cause_are_forgotten():
    class Batch:
        pass

    alive = weakref.WeakSet()

    def fill():
        batch = Batch()
        alive.add(batch)
        raise MemoryError("full")

    try:
        fill()
    except MemoryError as error:
        error.__cause__ = error  # as `raise error from error` makes it
        forget_locals(error)
        assert not alive
