"""The entry point of the command: `xvlm-eval`, or `python -m xvlm_eval`.

`harness` is a common name, `xvlm_eval` is not: this module is found by any sys.path, and imports
the `harness` beside it even if PYTHONPATH or the current directory holds another one first.
(`harness.registry` does the same for `tasks`.)
"""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path


def main() -> int:
    """Run the command line, and return its exit code."""
    folder = Path(__file__).resolve().parent
    spec = PathFinder.find_spec("harness", [str(folder)])
    if spec is None or spec.loader is None:
        sys.exit(f"xvlm-eval: {folder / 'harness'}: no such package; install xvlm-eval again")
    module = sys.modules["harness"] = module_from_spec(spec)
    spec.loader.exec_module(module)
    from harness.cli.main import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
