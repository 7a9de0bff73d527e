"""The training recipe of xvlm-shapes; the only part of `shapes` that needs torch.

- `train`: the grounding weights, from `examples` by the losses of `losses`.
- `heads`: the weights of the other heads, from `dataset` by the objectives of `objectives`.
- `vocabulary`: the WordPiece vocabulary of all weights.
"""
