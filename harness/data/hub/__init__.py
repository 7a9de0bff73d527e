"""Data from Hugging Face's hub, written once into the cache as a data folder in the official formats; from there on it is like any other.

`copies` says which copies are usable and pins them, `rows` reads them, `conversion` writes the official files, `materialise` puts them in
their place.
"""
