"""Any request as something to take away: a curl line, a Python script, JSON.

A snippet sends what the call sent and gets the same answer. Secrets stand in it as the place they
come from, an environment variable or a file, never as their value.
"""

from kserve_client.snippets.call import LARGE_BODY_BYTES, Call, json_text
from kserve_client.snippets.client_script import python_client
from kserve_client.snippets.requests_script import python_requests
from kserve_client.snippets.shell import curl

__all__ = ["LARGE_BODY_BYTES", "Call", "curl", "json_text", "python_client", "python_requests"]
