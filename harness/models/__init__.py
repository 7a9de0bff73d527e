"""Model families: weights to capabilities.

families        the families by name: what they offer, how they load
xvlm/, albef/, blip/, dual/  one family each
fusion/         BERT with cross-attention: what any ALBEF-like model is made of
vit/            what ALBEF and BLIP have in common
weights         read weight files without running anything; inert_pickle: by this unpickler
recognition     the family of a file, by the names of its tensors
filling         fill networks strictly
"""
