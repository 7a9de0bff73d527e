"""BERT with cross-attention to image tokens: the text side of any ALBEF-like model.

`tokenizer`, `sizes`; `layers` and `bert` (the encoder), `language_model` (a decoder), `kv` (keys
and values, computed once per image); `encoded_texts` (for retrieval), `fused_texts` (texts with
their images), `captioning`, `answer_ranking`, `gradcam` (maps of what a text is
about); `heads`; `costs`, `layer_costs` (operations and bytes).
"""
