"""`python -m kserve_client`: the command line."""

from kserve_client.cli import run

if __name__ == "__main__":
    run()
