"""Results beside published numbers.

paper       the table of a paper, as data, and the records that may stand beside its numbers
comparison  rows with published and measured numbers, their difference and verdict
verdict     whether a measured number is the published one
order       the order of rows
folders     records of several folders in one table
legends     long texts as marks, explained below the tables
left_out    why a record fills no row
layouts     the rows as tables: the paper's, a leaderboard, the embedded benchmark, one run
"""
