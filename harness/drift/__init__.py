"""Compare a result with its baseline: is this number still the number, and what changed?

check        every result of a folder with its baseline
evidence     one result beside its baseline, before the tests
judging      the tests of all results together, at one level
verdicts     when a change of a metric is called drift
settings     level, margins and what fails: `gate.yaml` and flags
power        the smallest drops that a check can prove
baselines    the baseline of a result
samples      the samples that are predicted differently
contradictions  two results of the same samples that contradict one another
environment  differences of two runs other than their predictions
inputs       the samples whose images or texts differ
diff         two results in detail
anchor       a check against the baseline and the last one that a person reviewed
lineage      which baseline replaced which, and why
renewal      replace a baseline
history      the course of every metric over several results
trend        whether it falls: what its clusters add, and p
report       a check as text, JSON and JUnit
"""
