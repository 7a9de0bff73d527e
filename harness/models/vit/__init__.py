"""What ALBEF and BLIP have in common: a vision transformer below `fusion`'s BERT.

encoder.py       the vision transformer
architecture.py  the sizes of a file
checkpoint.py    its head, and the weights that a network takes from it
networks.py      encoders and heads
audit.py         describes a file
gradcam.py       maps of the cosine of image and text
costs.py         the cost of these maps
"""
