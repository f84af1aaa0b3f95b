"""The programs that take part, `python -m bench.batch.sides.NAME URL ...`; each prints one object in JSON."""
