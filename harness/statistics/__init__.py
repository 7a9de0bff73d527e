"""Intervals of a metric and tests of its change, from the contributions of samples. NumPy only.

interval   the type of a confidence interval
sums       metrics as functions of sums over clusters of units
means      metrics that are means over units (`harness.metrics` has other kinds)
bootstrap  confidence intervals
paired     two runs on the same samples: McNemar, randomisation, paired bootstrap, Holm
"""
