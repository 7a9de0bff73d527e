"""`results/paper.yaml`, or the table of another paper: read, or refused by its key."""

import pytest
import yaml

from harness.errors import DataError
from harness.files.paths import shipped_path
from harness.tables.paper import read_paper


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"source": 3}, "source should be a string, but is 3"),
        ({"rows": []}, "rows is an empty list"),
        ({"rows": [{"task": "t"}]}, "rows[0] has no 'dataset'"),
        ({"official": {"t": {}}}, "official.t has no 'version'"),
        ({"extra": 1}, "has the unknown key 'extra'"),
        ({"tolerance": "much"}, "tolerance should be a number, but is 'much'"),
        ({"tolerance": float("nan")}, "tolerance should be a finite number, but is nan"),
        ({"needs_server": {"t": "a"}}, "needs_server.t should be a list, but is 'a'"),
    ],
)
def test_anything_but_a_papers_table_is_refused_with_the_file_and_the_key(
    tmp_path, changes, problem
):
    content = yaml.safe_load(shipped_path("results/paper.yaml").read_text(encoding="utf-8"))
    (tmp_path / "p.yaml").write_text(yaml.safe_dump({**content, **changes}))
    with pytest.raises(DataError) as caught:
        read_paper({}, tmp_path / "p.yaml")
    assert str(caught.value) == f"{tmp_path / 'p.yaml'}: {problem}"


def test_a_row_may_name_its_checkpoint_and_nothing_else_new(tmp_path):
    content = yaml.safe_load(shipped_path("results/paper.yaml").read_text(encoding="utf-8"))
    content["rows"][0] |= {"checkpoints": "x-vlm-base-4m"}
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(DataError, match=r"p\.yaml: rows\[0\] has the unknown key 'checkpoints'"):
        read_paper({}, tmp_path / "p.yaml")
