"""Fetch the published files that need no form: resumable, verified, and placed only when whole.

`plan` lists what to fetch and what to get by hand, `execute` carries the plan out; `download` gets
one file over HTTP (`responses`: what a server answers), `unzip` opens archives, `drive` gets
weights from Google Drive.
"""
