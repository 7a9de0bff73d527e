"""Tasks on own data: `--annotations FILE --images DIR` instead of the files of a benchmark.

Each has the samples, the metric and the statistics of a benchmark's task, and its own reader.
"""
