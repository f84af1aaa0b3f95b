"""Whole tables, from CSV file to CSV file: `scripts/bench.sh batch`.

A side is a program of its own that reads the same file as all others and writes another, against one real
MLServer. What limits them is measured beside them: the same requests, encoded before the clock starts, over
bare sockets, with nothing done to the answers. Needs Linux: peaks of memory are read from /proc.
"""
