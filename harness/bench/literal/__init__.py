"""What the paper's code (X-VLM, github.com/zengyan-97/X-VLM) computes, step by step as it does, on the layers of this project.

It is here to be compared with: the same results, checked by the same goldens, at the cost that the paper's code has. Nothing is done worse
than there. `swin.py` and `bert.py` are the encoders; `retrieval.py`, `looking.py` (grounding, pairs), `answering.py` and `captioning.py`
are what its evaluation scripts do with them.
"""
