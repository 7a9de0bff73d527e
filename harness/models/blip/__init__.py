"""BLIP (arXiv 2201.12086), by the rules of salesforce/BLIP and transformers 4.15.

Goldens `blip_*` pin them down.

preprocessing.py   cleaned texts
tokenizer.py       their tokens
twin_attention.py  the cross-attention of the NLVR2 model
networks.py        the retrieval network, which encodes texts twice
adapters.py        one per capability, with their texts and protocols
key_names.py       names in released files and in those on the hub
load.py            loads and describes a file
"""
