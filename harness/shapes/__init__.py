"""The embedded benchmark and its model.

`scenes` the world, `render` its pixels; `expressions`, `sentences`, `questions`, `statements` and `attributes` what is said of it;
`formats` and `storage` write it as the benchmarks publish theirs, `benchmark` puts it into the cache. `train` (with `examples`, `losses`,
`vocabulary`) makes the grounding weights, `heads` (with `scenery`, `courses`) the others.
"""
