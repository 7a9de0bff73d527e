"""The Python interface: models, benchmarks and results as objects; see docs/python.md.

    models        load_model
    loaded_model  weights as an object that takes Pillow images
    folders       temporary folders of results
    images        pictures of the user, opened and prepared for a model
    own_models    the user's own objects: their capability, and their identity in a record
    arguments     numbers and names, checked
    data          the data that arguments name
    benchmarks    load_task: a benchmark with its data
    evaluating    evaluate: predict and score
    scoring       score: the user's own predictions
    result        one result: its record, and its samples
    results       read_results, and what `evaluate` and `score` return
    samples       one sample of a result, with its picture
    comparing     compare: results beside a baseline

`harness` and `xvlm_eval` offer the public names; nothing is imported before one of them is used.
Nothing here prints, and nothing is written into a folder of the user's unless `out` names it.
"""
