"""What ALBEF and BLIP have in common: a vision transformer below `fusion`'s BERT.

`encoder` (the vision transformer), `architecture` and `checkpoint` (sizes and tensors of a file),
`networks` (encoders and heads), `runtime` (a network ready to run), `adapter`, `comparing` and
`reasoning` (capabilities, in which the families differ in texts, heads and rules of ranking only),
`loading`.
"""
