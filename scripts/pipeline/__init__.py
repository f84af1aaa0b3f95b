"""The guide's road on this machine: notebook, MLflow, S3, storage initializer, V2 servers, dashboard.

Modules named `in_…` run in an environment of their own and import what is installed there; all others
need nothing but Python.
"""
