"""How sure a number is, and whether two of them differ, by what each sample contributed. NumPy only.

`interval` the type; `means` and `sums` what units contribute and how a number is made of them (`harness.metrics` has more kinds);
`bootstrap` intervals; `paired` two runs on the same samples: exact McNemar, randomisation, paired bootstrap, Holm.
"""
