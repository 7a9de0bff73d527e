"""Where data comes from, one file per format.

`folder` is the user's folder and what is missing of it; `vqa`, `nlvr2`, `karpathy`, `refer` and `ovad` read annotations, `prompts` makes
OVAD's sentences; `submissions` and `matrices` read results in the benchmarks' own formats.
"""
