"""Scenes, their pixels, and sentences about them.

`scenes` draws scenes as data, `render` their pixels. `expressions`, `sentences`, `questions`,
`statements` and `attributes` describe them in the forms of the seven benchmarks.
"""
