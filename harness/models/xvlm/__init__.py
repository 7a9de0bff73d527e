"""X-VLM (arXiv 2111.08276).

`architecture` the sizes, `swin` the vision encoder, `bert` the text encoder and decoder, `heads` the networks; `checkpoint`, `adaptation`
and `networks` read the released files, `audit` tells what is in one; `inputs`, `tokenizer` and `preprocessing` prepare texts and images.
One file per capability: `grounder`, `answerer`, `reasoner`, `captioner`, `retriever`, `matcher`; `load` chooses one. `gradcam` grounds
without boxes. `costs` says what all of it costs.
"""
