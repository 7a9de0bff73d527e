"""The processes of one run: who computes what, and where their predictions come together.

distributed.py  a group of processes, and that of a process alone
torchrun.py     the group that torchrun started
rendezvous.py   how its processes find one another
claims.py       which process computes which batch
shards.py       their prediction files
"""
