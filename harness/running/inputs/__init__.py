"""What the model was given: kept beside predictions, and compared when a run is continued.

fingerprint.py        of the first samples, for the record
sample_inputs.py      of every sample: its image files, their prepared pixels, its texts
file_check.py         whether a resumed run has the same files
preparation_check.py  and the same model in front of them
"""
