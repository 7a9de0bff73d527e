"""X-VLM (arXiv 2111.08276).

adapters.py        the capabilities, each with its texts and its protocol
heads.py           the networks: encoders and a task head
swin.py            the vision encoder
windows.py         the geometry of its windows
preprocessing.py   text cleaning
architecture.py    sizes, read from the tensors of a checkpoint
key_names.py       the names of the tensors in released files
checkpoint.py      a released file: its head and sizes, and whether a network fits it
networks.py        a released file to a network
load.py            a released file to a capability
audit.py           a description of a file, for `xvlm-eval checkpoint`
"""
