"""X-VLM (arXiv 2111.08276).

`swin` (the vision encoder) and `heads` (the networks); `architecture`, `checkpoint`, `key_names`
and `networks` read the released files, `audit` describes one; `preprocessing` of texts and images;
`runtime` (a network ready to run). One adapter per capability: `grounder`, `localizer` (by
`gradcam`), `answerer`, `reasoner`, `captioner`, `retriever`, `matcher`; `load` chooses one. `costs`
estimates operations and bytes.
"""
