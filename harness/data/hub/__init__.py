"""Data from Hugging Face's hub, written once into the cache as a data folder of official files.

The copies that hold the official splits are stated beside each task (`HubCopy`), and converted by
`harness.formats.hub_rows`.

copies.py       the copy for a task
rows.py         its rows, read through the package `datasets`
materialise.py  the data folder, written
"""
