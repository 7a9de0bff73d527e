"""Model families: weights to capabilities.

families.py                the families by name: what they offer, how they load
xvlm/ albef/ blip/ dual/   one family each
fusion/                    BERT with cross-attention: what any ALBEF-like model is made of
vit/                       what ALBEF and BLIP have in common
weights.py                 the tensors of weight files, by name
weight_files.py            such files, read without running anything,
inert_pickle.py            by an unpickler that runs nothing
recognition.py             the family of a file, by the names of its tensors
filling.py                 networks filled strictly
"""
