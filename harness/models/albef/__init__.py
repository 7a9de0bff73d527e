"""ALBEF (arXiv 2107.07651), by the rules of salesforce/ALBEF. Goldens `albef_*` pin them down.

adapters.py  one per capability, with their texts and protocols
networks.py  its NLVR2 model, and the names of tensors in its files
load.py      loads and describes a file
"""
