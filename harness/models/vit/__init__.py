"""What ALBEF and BLIP have in common: a vision transformer below `fusion`'s BERT.

encoder       the vision transformer
architecture  the sizes of a file
checkpoint    its head, and the weights that a network takes from it
networks      encoders and heads
audit         describe a file
gradcam       maps of the cosine of image and text
costs         the cost of these maps
"""
