"""A signature becomes widgets, and widgets a row. The only place that chooses a widget."""

from dashboard.forms.field import example_name, watched
from dashboard.forms.form import draw, fill, fill_once, is_long, issues, outside

__all__ = ["draw", "example_name", "fill", "fill_once", "is_long", "issues", "outside", "watched"]
