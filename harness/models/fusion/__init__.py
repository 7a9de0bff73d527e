"""BERT with cross-attention to image tokens: what any ALBEF-like model is made of.

`preprocessing` (texts and images), `resizing`, `tokenizer`, `sizes`; `layers` and `bert` (the
encoder), `language_model` (a decoder), `kv` and `pair_kv` (keys, values, once per image);
`encoded_texts` (for retrieval), `fused_texts` (texts with their images), `captioning`,
`static_decoder` (in buffers of fixed shapes), `answer_decoder`, `gradcam` (maps of what a text is
about); `heads`; `costs`, `decoding_costs`, `layer_costs` (operations and bytes).

`networks` and `runtime` (a network ready to run), `settings` (`--model-args`), `adapter` and one
module per capability, of which a family's adapters name the texts, network and rules: `comparing`,
`answering`, `describing`, `judging`, `locating`; `loading` chooses one.
"""
