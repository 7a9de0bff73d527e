"""The command `xvlm-eval`: one file per verb, and the only code that prints.

main.py                                the command line: its verbs, errors and exit codes
run.py (outcomes.py) bench.py          compute
table.py check.py diff.py              read results
show.py report.py                      look at results and samples
export.py                              results in the formats of other tools
baseline.py power.py                   what results are checked against, and what a check can see
score.py import_score.py               score predictions, here or by a server
list.py data.py fetch.py               what exists, and how to get it
checkpoint.py doctor.py                whether it fits
overview.py                            no verb: what can be done here and now
flags.py own.py                        flags that several verbs share, and what they name
console.py output.py left_out.py       messages, written files, files that were left out

A verb is a module with `HELP`, `add_arguments(parser)` and `run(options)`, which returns the exit
code. Results go to the output by `print`, everything else to the error stream by `console.say`.
Heavy modules are imported inside of `run`, so that `--help` answers at once.
"""
