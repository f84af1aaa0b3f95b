"""Learning from a sample: what the columns of a file say of the features of a model.

`read_sample` counts what a file holds, `propose` makes the settings of features of it. Guesses are
plain rules (docs/samples.md), and never overrule what another source says of a feature.
"""

from kserve_client.catalog.sample.columns import Column, Sample
from kserve_client.catalog.sample.proposing import propose, reasons_to_leave_out, sample_file
from kserve_client.catalog.sample.reading import read_sample

__all__ = ["Column", "Sample", "propose", "read_sample", "reasons_to_leave_out", "sample_file"]
