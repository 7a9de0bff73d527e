"""Image files decoded beside the model. Nothing is imported here: see server.py.

choice.py         whether threads or processes decode
decoder.py        what both offer
threads.py        threads
processes.py      processes that write to shared memory,
server.py         the server that they are forked from,
shared_memory.py  and the memory
"""
