"""The package in `examples/`, installed, and what its scripts write."""

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

EXAMPLES = Path(__file__).parents[2] / "examples"
PACKAGE = EXAMPLES / "xvlm_eval_clip"


def install_package(target: Path) -> None:
    """Install the package into a folder, by pip, without a network."""
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--no-index", "--target", target, PACKAGE], check=True)


def write_weights_and_data(folder: Path) -> None:
    """Write the weights and the data that the scripts write, into `weights` and `own`."""
    _script("make_weights").write(folder / "weights")
    data = _script("make_data")
    shapes = data.embedded_data().root
    data.write_labels(folder / "own" / "labels", shapes)
    data.write_refcoco(folder / "own", shapes)


def _script(name: str) -> ModuleType:
    spec = spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
