"""Show results: single samples with their pictures, and the report in one HTML file.

selection     chooses and orders the samples of a result
baseline      what changed since a baseline
pictures      the pictures of a sample, with boxes drawn on them
sample_rows   samples as rows: for the terminal, as CSV, as JSON
terminal      pictures in a terminal that can show them
page          the report as one HTML file, from `assets/`
page_tables   its tables, and the metrics and rows that were not run
content       reads each result, orders them, and gives each an address in the page
section       what the page says of a result
gallery       the samples of a result as cards
thumbnails    pictures inside the page, within a budget
figures       chooses the charts that a result has numbers for
charts        charts as SVG
svg           their parts: texts, axes
overlap       the words of a text that other texts contain too
"""
