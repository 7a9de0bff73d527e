"""`xvlm-eval score` of a file of predictions."""

import json

from harness.cli.main import main


def scored(capsys, task, split, path, *more):
    flags = ["--task", task, "--split", split, "--predictions", str(path), "--format", "json"]
    code = main(["score", *flags, *more])
    shown = capsys.readouterr()
    return code, json.loads(shown.out) if code == 0 else None, shown.err
