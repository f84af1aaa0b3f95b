"""Benchmarks against other clients of the protocol; `scripts/bench.sh NAME` is the door to each.

A side is one client, or the shortest code that does the same by hand. Each runs in a process of its own, in
the environment it needs, and times named operations on the same data as all the others.
"""
