"""BLIP (arXiv 2201.12086), by the rules of salesforce/BLIP and transformers 4.15.

`preprocessing` and `tokenizer` (texts), `twin_attention` (of the NLVR2 model), `networks`,
`adapters` (one per capability, with their texts and protocols), `key_names` (of released files and
of those on the hub), `load`. Goldens `blip_*` pin them down.
"""
