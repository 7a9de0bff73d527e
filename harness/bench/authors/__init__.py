"""The benchmarks as the authors' scripts run them: from image files to the official metric.

Every sample decodes and resizes its own image, texts are padded, batches hold the samples in the
order of the annotation file, the network is the literal one (`harness/bench/literal/`), and metrics
are those of the official code, without intervals. On the embedded benchmark's files and weights.

items.py      the samples of a benchmark as a data set of torch
matching.py   retrieval and OVAD
fusing.py     RefCOCO+, NLVR2 and VQA
captions.py   captions, and their scoring by pycocoevalcap
"""
