"""What a run needs once in a process, imported and read at once: for processes that are forked."""

from importlib import import_module

from harness.records.provenance import code_sha256, software

for name in (
    "PIL.JpegImagePlugin",
    "pycocoevalcap.cider.cider",
    "safetensors.torch",
    "tabulate",
    "harness.cli.own",
    "harness.engine.two_stage_retrieval",
    "harness.export.trackers",
    "harness.formats.submissions",
    "harness.running.given",
    "harness.running.launch",
    "harness.running.progress",
    "harness.tables.layouts",
    "harness.tables.paper",
    "tasks.refcoco_plus",
    "tasks.retrieval",
):
    import_module(name)
code_sha256()
software()
