"""The modules that a command loads."""

import subprocess
import sys

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
    program = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('\\n'.join(sys.modules), file=sys.stderr))\n"
        "from harness.cli.main import main\n"
        f"sys.exit(main({list(arguments)!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines())
