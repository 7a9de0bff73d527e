"""Results to look at: single samples with their pictures, and the report in one file.

selection     which samples of a result, in which order, and what changed since a baseline
pictures      the pictures of a sample, with boxes drawn on them
"""
