"""Predictions and results on disk: scored, kept as results, scored anew, looked at by sample.

scoring.py       scores of stored predictions
keeping.py       and these kept as a result
rescored.py      results scored anew, to be compared with what they state
import_score.py  a server's number, entered as a result
samples.py       the samples of a result: annotation, prediction, scores
sample_rows.py   and these as rows of a table
"""
