"""The oldest versions of dependencies that are allowed are those that CI tests with."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]


def test_the_lowest_versions_are_the_lower_bounds_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = {
        requirement.name: Version(clause.version)
        for requirement in map(Requirement, project["dependencies"])
        for clause in requirement.specifier
        if clause.operator == ">="
    }
    lines = (ROOT / "tests" / "lowest.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if not line.startswith("#")]
    assert {name: Version(version) for name, version in pins} == bounds
    assert len(bounds) == len(project["dependencies"])


def test_no_plugin_of_anyio_whose_older_releases_warn_under_a_newer_pytest(pytestconfig):
    """With the lowest versions, pip chooses such a release; warnings are errors here."""
    assert not pytestconfig.pluginmanager.has_plugin("anyio")
