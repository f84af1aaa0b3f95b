"""Doctor: how well a model on its endpoint speaks V2, check by check, with a grade and the fixes."""

from kserve_client.doctor.checks import CHECKS
from kserve_client.doctor.examine import examine
from kserve_client.doctor.report import Asked, Fix, Grade, Report, Result, Verdict

__all__ = ["CHECKS", "Asked", "Fix", "Grade", "Report", "Result", "Verdict", "examine"]
