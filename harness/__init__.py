"""Evaluate vision-language models of the X-VLM family by their own protocols.

    from harness import compare, evaluate, load_model

    model = load_model("xvlm-shapes", task="refcoco+")
    results = evaluate(model, "refcoco+", split="val", limit=100)
    comparison = compare(results, "baseline/")

`__all__` lists the public names, docs/python.md describes them; `import xvlm_eval` offers the same.
Everything else may change without notice.

Read `task/`, then `capabilities/`, then `running/evaluate.py`. Each folder says in its
`__init__.py` what it is for; a folder imports only folders below it in this list:

cli/                            the command: one file per verb
api/ export/                    the Python interface; formats of other tools
bench/ report/                  the engine timed; results as one HTML file
running/ doctor/                one run; whether a run can succeed here
data/                           the benchmark files on disk
registry/                       tasks and model families by name
drift/ tables/ shapes/ tasks    results compared; results beside the paper; the embedded benchmark
models/ records/ task/          weights to capabilities; what a run leaves; what a benchmark is
plugin_models.py                models of other packages, checked before a run
family.py                       what a model family is
formats/ checkpoints/           official files; the weights that can be named
sample_view.py                  what a sample looks like
engine/ metrics/                what models run on; predictions to numbers
images.py plugins.py            decoding and cropping; what other packages register
files/                          reading and writing
capabilities/ workload.py       what a model can do; what that costs
dataset.py statistics/          what is published about files; intervals and tests
rendering.py callbacks.py       tables for people and machines; progress and warnings
errors.py                       what can go wrong, and its exit code
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness import errors, metrics
    from harness.api.benchmarks import LoadedTask, load_task
    from harness.api.comparing import Comparison, compare
    from harness.api.evaluating import evaluate
    from harness.api.loaded_model import LoadedModel
    from harness.api.models import load_model
    from harness.api.result import Result
    from harness.api.results import Results, read_results
    from harness.api.samples import ResultSample
    from harness.api.scoring import score

__all__ = [
    "Comparison",
    "LoadedModel",
    "LoadedTask",
    "Result",
    "ResultSample",
    "Results",
    "compare",
    "errors",
    "evaluate",
    "load_model",
    "load_task",
    "metrics",
    "read_results",
    "score",
]
_MODULES = {  # where the public names are; a module is imported when its first name is used
    "Comparison": "comparing",
    "LoadedModel": "loaded_model",
    "LoadedTask": "benchmarks",
    "Result": "result",
    "ResultSample": "samples",
    "Results": "results",
    "compare": "comparing",
    "evaluate": "evaluating",
    "load_model": "models",
    "load_task": "benchmarks",
    "read_results": "results",
    "score": "scoring",
}


def __getattr__(name: str) -> Any:
    """Import a public name on its first use."""
    if name in _MODULES:
        value = getattr(import_module(f"harness.api.{_MODULES[name]}"), name)
    elif name in ("errors", "metrics"):
        value = import_module(f"harness.{name}")
    else:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, also those that are not imported yet."""
    return sorted({*globals(), *__all__})
