"""The embedded benchmark and its model.

`scenes` the world, `render` its pixels, `expressions` what is said of it, `benchmark` the files in official formats; `vocabulary`,
`examples`, `losses` and `train` make the weights in `weights/`.
"""
