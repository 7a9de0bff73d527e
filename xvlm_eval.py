"""The name of this project as a module: the entry point of its command, and its Python interface.

    import xvlm_eval

    model = xvlm_eval.load_model("xvlm-shapes", task="refcoco+")

`harness` is a common name, `xvlm_eval` is not: this module is found by any sys.path, and imports
the `harness` beside it even if PYTHONPATH or the current directory holds another one first.
(`harness.registry` does the same for `tasks`.) It offers the public names of `harness`.
"""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness import *  # noqa: F403  (the names of its `__all__`)


def main() -> int:
    """Run the command line, and return its exit code."""
    try:
        _import_harness()
    except ImportError as error:
        sys.exit(f"xvlm-eval: {error}")
    from harness.cli.main import main

    return main()


def __getattr__(name: str) -> Any:
    """Return a public name of `harness`, or its list of them, `__all__`.

    Raises ImportError where another `harness` is imported.
    """
    if name.startswith("_") and name != "__all__":  # nothing is imported for what Python looks up
        raise AttributeError(f"module 'xvlm_eval' has no attribute {name!r}")
    module = sys.modules.get("harness")
    if module is None:
        module = _import_harness()
    elif Path(module.__file__ or "").resolve().parent != _folder():
        raise ImportError(
            f"{module.__file__}: another package `harness` is imported already; "
            "import xvlm_eval before it, or in a separate process"
        )
    if name != "__all__" and name not in module.__all__:
        raise AttributeError(f"module 'xvlm_eval' has no attribute {name!r}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__getattr__("__all__")})


def _folder() -> Path:
    return Path(__file__).resolve().parent / "harness"


def _import_harness() -> ModuleType:
    """Import the `harness` beside this module, and make it the one that others import."""
    spec = PathFinder.find_spec("harness", [str(_folder().parent)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{_folder()}: no such package; install xvlm-eval again")
    module = sys.modules["harness"] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
