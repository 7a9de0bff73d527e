"""One run: from a request to a record, on one process or several, through any interruption.

planning.py                        a request -> a plan of runs: names looked up, files found
launch.py                          a plan -> models loaded, runs carried out -> their outcomes
evaluate.py                        one run: load, predict, score
run.py context.py                  what a run is: `Run`, `Speed`, `Outcome`; what surrounds it
ahead.py source.py                 what runs need from files, read in threads before they need it
next_run.py                        what the next run needs, read while this one predicts
subset.py                          the samples that `--limit` chooses
predict.py runners.py loader.py    batches that fit into memory; the loops; images decoded ahead
supply.py                          the batches that a process decodes, then computes
processes/                         the processes of a run, and their shares of it
decoding/                          images decoded beside the model, in threads or in processes
prepared.py                        prepared images of any kind, put together
batch_size.py                      how large the batches are
identity.py                        what decides a run's predictions
scoring.py skipped.py              complete predictions -> scores and a record
finish.py timings.py               what a run leaves
retried.py                         unreadable images, tried again when a run is continued
trials.py                          whether they can be scored, tried while they are made
inputs/                            what the model was given, compared when a run is continued
plugin_errors.py                   errors in the code of other packages, by plugin and sample
plugin_tasks.py                    tasks of other packages beside the embedded benchmark
given.py pinned.py                 weights that no entry describes; whether they are the known ones
progress.py                        a bar on a terminal, lines in a log
forecast.py                        what a run will take, before it is begun
stored/                            predictions and results on disk: scored, kept, looked at
"""
