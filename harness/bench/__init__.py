"""The engine beside the literal algorithm of the paper's code, on the same weights and inputs, timed in one run.

`literal/` is that algorithm, `bench.py` the contests between the two, `xvlm-eval bench` the command.
"""
