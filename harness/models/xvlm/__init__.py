"""X-VLM (arXiv 2111.08276).

`architecture` the sizes, `swin` the vision encoder, `bert` the text and fusion encoder, `heads` the networks; `checkpoint` and `adaptation`
read the released files; `tokenizer` and `preprocessing` prepare texts and images; `grounder` is a capability, `load` chooses one.
"""
