"""Model families: weights to capabilities.

`fusion` (the text side of any ALBEF-like model) and `xvlm`; `weights` reads weight files safely.
"""
