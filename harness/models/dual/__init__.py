"""Dual encoders in the layout of transformers: CLIP, OpenCLIP, MetaCLIP, SigLIP and SigLIP 2.

preprocessing.py  images, as each model's authors prepare them
texts.py          tokens, as each model's authors make them
encoder.py        the model as a `DualEncoder`
load.py           a folder of weights, configuration and tokenizer -> the model
audit.py          describe such a folder
"""
