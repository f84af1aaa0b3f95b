"""The cluster: InferenceServices of the allowed namespaces, asked once or followed."""

from kserve_client.catalog.cluster.api import Cluster, Found, Problem
from kserve_client.catalog.cluster.watch import Watch

__all__ = ["Cluster", "Found", "Problem", "Watch"]
