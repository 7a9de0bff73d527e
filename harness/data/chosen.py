"""Which data a command is about."""

from harness.places import configured
from harness.shapes.benchmark import embedded_data
from harness.sources.folder import DataFolder, open_folder


def chosen_data(flag: str | None) -> DataFolder:
    """Return the user's data folder, by `--data`, the environment or the configuration; the embedded benchmark where none is named.

    Raises MissingError where there is no such folder.
    """
    root = configured("data", flag=flag)
    return open_folder(root) if root else embedded_data()
