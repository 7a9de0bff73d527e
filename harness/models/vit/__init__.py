"""What ALBEF and BLIP have in common: a vision transformer below `fusion`'s BERT.

`encoder` (the vision transformer), `architecture` and `checkpoint` (sizes and tensors of a file),
`networks` (encoders and heads), `gradcam` (of the cosine of image and text), `costs` (of that).
"""
