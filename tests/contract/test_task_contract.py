"""What every task promises, asked of each one that is registered."""

import pytest

from harness import capabilities
from harness.registry import find_task, loadable_tasks, official_counts
from harness.tables.paper import read_paper
from harness.task import Task
from tasks import TASKS


@pytest.fixture(params=[task.name for task in loadable_tasks()[0]])
def task(request):
    return find_task(request.param)


@pytest.fixture(params=TASKS)
def own_task(request):
    """A task of this project: those that other packages register stand in no table of the paper."""
    return find_task(request.param)


def test_it_has_a_version_distinct_splits_and_needs(task):
    assert isinstance(task, Task)
    assert task.version >= 1
    assert task.splits and len(set(task.splits)) == len(task.splits)
    assert task.needs


def test_it_needs_capabilities_that_are_listed(own_task):
    for capability in own_task.needs:
        assert getattr(capabilities, capability.__name__) is capability


def test_what_the_table_expects_of_it_is_what_it_says(own_task):
    """A change of version or protocol that would silently empty the paper's rows."""
    official = read_paper(official_counts()).official[own_task.name]
    assert official.version == own_task.version
    assert all(protocol.startswith(f"{own_task.protocol}|") for protocol in official.protocols)
    assert tuple(official_counts()[own_task.name]) == own_task.splits


def test_it_says_which_files_it_needs_and_where_to_get_them(task):
    for split in task.splits:
        for needed in task.files(split):
            assert needed.candidates and needed.description and needed.source


def test_its_name_is_found_whatever_the_case_and_the_dashes(task):
    assert type(find_task(task.name.upper().replace("-", "_"))) is type(task)


def test_a_task_with_hidden_truths_says_where_they_are(task):
    assert task.hidden <= set(task.splits)
    assert bool(task.hidden) == bool(task.server)
