"""Model families: weights to capabilities.

`xvlm`, `albef` and `blip`; below them `fusion` (the text side of any ALBEF-like model), `vit` (what
ALBEF and BLIP have in common). `weights` reads weight files
safely, `filling` fills networks strictly.
"""
