"""The data folder as a whole: what belongs there, what is there, whether it is right, and how it gets there.

`known` holds published hashes and counts, `origins` where files come from; `inspection` compares a folder with them, `verification` decodes
its images, `layout` draws it, `listing` puts what was found into words; `flat` writes X-VLM's own lists from the originals.
"""
