"""How models are run.

`loader` groups samples by image and decodes ahead; `readers` seats texts at what they look at; `shortlist` and `beams` search; `device`
says where, and how precisely; `memory` how much room there is.
"""
