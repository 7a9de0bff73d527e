"""Get what can be had without asking: over HTTP, resumable, checked, and never half there.

`server` speaks to a server, `partial` keeps what came so far, `download` gets one file, `unpack` opens archives, `plan` says what is to be
fetched and what has to be asked for, `work` does it, `alone` keeps a second process out, and `drive` gets weights from Google Drive.
"""
