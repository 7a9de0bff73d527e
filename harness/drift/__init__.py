"""Compare a result with its baseline: is this number still the number, and what changed?

check        every result of a folder with its baseline
judging      the tests of all results together, at one level
verdicts     when a change of a metric is called drift
settings     level, margins and what fails: `gate.yaml` and flags
power        the smallest drops that a check can prove
baselines    the baseline of a result
samples      the samples that are predicted differently
environment  differences of two runs other than their predictions
diff         two results in detail
report       a check as text, JSON and JUnit
"""
