"""The embedded benchmark and its model.

world/           scenes as data, their pixels, and sentences about them
formats.py       scenes in the file formats of the seven benchmarks,
refcoco_plus.py  in those of RefCOCO+
vlue.py          and of VLUE
storage.py       images and JSON files
benchmark.py     the embedded benchmark in the cache folder
training/        the training recipe of xvlm-shapes; the only part that imports torch
weights/         the trained weights
"""
