"""The first import of the server that decoding processes are forked from: Ctrl-C is not for them.

A terminal interrupts all processes of a command. The one that was started by hand reports it and
ends; the others end with it, also where they are interrupted before they have begun.
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)
