"""The benchmark files on disk: which ones a data folder needs, which it has, how to get the rest.

The facts about each benchmark's files stand beside its task (`harness.dataset`); nothing here
names a benchmark.

resolve         turns `--data` into a source: the embedded benchmark, a folder, or the hub
own             own data as a source: `--annotations`, `--images`, `--answers`
result_sources  the source that belongs to a stored result
inventory       lists the files and splits of a folder, and their state
published       compares files and splits with the published facts
verify          decodes every image and compares it with its annotations
report          inventory and verification as text or JSON, for `xvlm-eval data`
layout          draws the data folder as a tree
flat            writes X-VLM's own lists
fetch/          downloads published files
hub/            converts copies from Hugging Face's hub
"""
