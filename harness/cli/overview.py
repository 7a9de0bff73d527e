"""`xvlm-eval` without a verb: what can be done here and now."""


def run() -> int:
    """Print the possibilities on this machine, each with the command to go on with."""
    from harness.doctor.overview import possibilities, render_overview

    print("What can be done here and now:\n")
    print(render_overview(possibilities()))
    print("\nAll verbs: xvlm-eval --help; the flags of one: xvlm-eval VERB --help.")
    return 0
