"""What each verb of the command does: `running` (run, bench), `results` (table, check, diff, score, import-score), `supplies` (list, data,
fetch, checkpoint, doctor).

A verb takes the parsed flags and returns an exit code. Results go to the standard output, by `print`; all else is said, by `console.say`.
Nothing heavy is imported before a verb needs it.
"""
