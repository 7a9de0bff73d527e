"""The literal algorithm: the paper's code (X-VLM, github.com/zengyan-97/X-VLM), step by step.

It computes on the layers of this project, passes the goldens of the official code, and costs what
the paper's code costs; nothing is slower than there. A batch has one row per text, and the rows
of one image each have their own copy of its tokens.

swin.py           the vision encoder
bert.py           the text encoder, the fusion layers and the decoder
retrieval.py      image-text retrieval
fusion_heads.py   grounding and NLVR2
answering.py      VQA
captioning.py     captions
"""
