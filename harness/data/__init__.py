"""The benchmark files on disk: which belong in a data folder, which are there, how to get the rest.

The facts about each benchmark's files stand beside its task (`harness.dataset`); nothing here
names a benchmark. `resolve` turns `--data` into a folder. `inventory` lists its files and splits
and compares them with `published` facts, `verify` decodes its images, `report` renders both.
`layout` draws the folder, `flat` writes X-VLM's own lists. `fetch` downloads published files, `hub`
converts copies from Hugging Face's hub.
"""
