"""Names of entries in a checkpoints.yaml: results lie in a folder of the name."""

import pytest

from harness.checkpoints.entries import read_entries
from harness.errors import DataError

ENTRY = (
    "{name}:\n  title: T\n  family: xvlm\n  licence: L\n"
    "  files: {{vqav2: {{path: x.th, head: vqa}}}}\n"
)


@pytest.mark.parametrize("name", ['"a/b"', '".."', '"."', '""', '" "', '"../a"', '"a\\nb"'])
def test_an_entry_whose_name_no_folder_can_have_is_refused(name, tmp_path):
    (tmp_path / "c.yaml").write_text(ENTRY.format(name=name))
    with pytest.raises(DataError, match=r"c\.yaml: names an entry .*choose one like my-model"):
        read_entries(tmp_path / "c.yaml")


@pytest.mark.parametrize("name", ["my-model", "é 名", "a.b", "-rf", '"7"'])
def test_any_other_name_is_taken(name, tmp_path):
    (tmp_path / "c.yaml").write_text(ENTRY.format(name=name))
    assert list(read_entries(tmp_path / "c.yaml")) == [name.strip('"')]
