"""What the dashboard needs and a page should not hold."""
