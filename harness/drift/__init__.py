"""Compare a result with its baseline: is this number still the number, and what changed?

check        every result of a folder with its baseline
verdicts     when a change of a metric is called drift
baselines    the baseline of a result
samples      the samples that are predicted differently
contradictions  what two results of the same samples cannot both say
environment  differences of two runs other than their predictions
inputs       the samples whose images or texts differ
diff         two results in detail
anchor       a check against the baseline and the last one that a person reviewed
lineage      which baseline replaced which, and why
renewal      replace a baseline
history      the trend over several results
report       a check as text, JSON and JUnit
"""
