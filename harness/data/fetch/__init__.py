"""Get what can be had without asking: over HTTP, resumable, checked, and never half there.

`download` gets one file over HTTP, `unzip` opens archives, `plan` says what is to be
fetched and what has to be asked for, `carry_out` does it, and `drive` gets weights from Google Drive.
"""
