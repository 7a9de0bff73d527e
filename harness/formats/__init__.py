"""Official annotation and result files, one module per format.

`folder` describes the user's data folder and the files missing from it, `coco` the image folders
that benchmarks share. `vqa`, `nlvr2`, `karpathy`, `refer` and `ovad` read annotations; `prompts`
writes OVAD's sentences. `submissions` and `matrices` read results in the benchmarks' own formats;
`matches` stores the scored texts of an image as a prediction.
"""
