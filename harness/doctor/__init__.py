"""Whether a run can succeed on this machine, and what to do if not.

machine    Python, packages, device, memory, Java, disk, the hub
diagnosis  the machine, the data and the weights: which tasks can be run
overview   what can be done here and now, for `xvlm-eval` without a verb
"""
