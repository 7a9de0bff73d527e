"""Evaluate vision-language models of the X-VLM family by their own protocols.

Read `task.py`, then `capabilities.py`, then `running/evaluate.py`. Each folder says in its
`__init__.py` what it is for; a folder imports only folders below it in this list:

cli/                          the command: one file per verb
running/ doctor/              one run; whether a run can go here
data/ bench/                  the benchmark files on disk; the engine timed
registry.py                   tasks and model families by name
drift/ tables/ shapes/        results compared; results beside the paper; the embedded benchmark
models/ records/ task.py      weights to capabilities; what a run leaves; what a benchmark is
formats/ checkpoints/         official files; the weights there are
engine/ metrics/ files/       what models run on; predictions to numbers; reading and writing
images.py                     decoding and cropping
capabilities.py workload.py   what a model can do; what that costs
statistics/ rendering.py callbacks.py errors.py
"""
