"""Intervals of a metric and tests of its change, from the contributions of samples. NumPy only.

interval    the type of a confidence interval
sums        metrics as functions of sums over clusters of units
means       metrics that are means over units (`harness.metrics` has other kinds)
intervals   the interval of a metric and of its change: Wilson, BCa, the normal one of clusters
bootstrap   the bootstrap over clusters
paired      two runs on the same samples: the change, the flips, the smallest provable drop
swaps       the test of two runs: all metrics of a result swapped together
swap_draws  which swaps are enumerated or drawn, and the metrics that they make
swap_tally  the swaps with a change as large as the observed one, counted
multiple    many tests at one level (Tarone), and how many reach it by chance
"""
