"""`xvlm-eval bench`: the engine timed beside the paper's literal algorithm, on the same inputs.

measure.py          the command's run: chosen stages, one after another, and the conditions
report.py           the measurements as JSON and as tables
stages.py           the stages by name, with titles and target ratios
comparisons/        what both sides compute in each stage
literal/            the literal algorithm of the paper's code
comparison.py       two implementations run in turns, timed and compared
agreement.py        differences of numbers, rankings and decisions
products.py         the matrix products of a stage, in it and by themselves
profiling.py        time and peak memory of a call
fixtures.py         models, networks and inputs for the stages
models.py           models of two sizes, with random_weights.py
inputs.py           synthetic texts, answers, images and photos; padding.py, texts of one length
projection.py       time of the benchmarks at their real sizes, from throughput.py (engine_calls.py)
from_files.py       time from JPEG files to predictions, on the samples of pipelines.py
end_to_end.py       whole benchmarks, from image files to records, with end_to_end_side.py
authors/            the authors' way of running them
end_to_end_report.py  both ways as JSON and as a table
"""
