"""ALBEF (arXiv 2107.07651), by the rules of salesforce/ALBEF.

`adapters` (one per capability, with their texts and protocols), `networks`, `load`. Goldens
`albef_*` pin them down.
"""
