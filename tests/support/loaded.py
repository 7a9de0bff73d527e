"""The modules that commands load."""

import subprocess
import sys
from collections.abc import Sequence

# Packages that take long to import.
HEAVY = {
    "torch",
    "transformers",
    "datasets",
    "pandas",
    "numpy",
    "PIL",
    "yaml",
    "rich",
    "tabulate",
    "safetensors",
}


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a command has loaded when it ends."""
    (loaded,) = loaded_after(arguments)
    return loaded


# What is installed beside this project may load anything.
WITHOUT_PLUGINS = """
import harness.plugins
harness.plugins.entry_points = lambda group: harness.plugins.EntryPoints()
"""


def loaded_after(*commands: Sequence[str]) -> list[set[str]]:
    """The modules that one process has loaded after each of these commands, without plugins."""
    helping = all("--help" in command for command in commands)  # which asks for no plugin
    program = (
        "import sys\n"
        "from harness.cli.main import main\n"
        f"{'' if helping else WITHOUT_PLUGINS}"
        f"for command in {[list(command) for command in commands]!r}:\n"
        "    try:\n"
        "        assert not main(command), command\n"
        "    except SystemExit as end:  # of --help\n"
        "        assert not end.code, command\n"
        "    print('loaded', *sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("loaded ")]
    assert len(lines) == len(commands)
    return [set(line.split()[1:]) for line in lines]
