"""The dashboard: page registry and frame. Start it with `streamlit run app.py`."""

from dashboard import shell

page = shell.navigation()
shell.frame(page)
page.run()
