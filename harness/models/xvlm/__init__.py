"""X-VLM (arXiv 2111.08276).

`swin` (the vision encoder) and `heads` (the networks); `architecture`, `checkpoint`, `key_names`
and `networks` read the released files, `audit` describes one; `preprocessing` of texts; `adapters`
(one per capability, with their texts and protocols), `load`.
"""
