"""The comparisons of the stages: the engine beside `harness.bench.literal`, on the same inputs.

retrieval.py      text and image encoding, re-ranking, retrieval end to end
answering.py      VQA, with the whole shortlist scored and with early stop
fusion_heads.py   grounding and NLVR2
captioning.py     captions, from images and from encoded images
"""
