"""Batch: a table goes up, every row comes back with its prediction or its error."""

import streamlit as st

from dashboard import batch, shell, views

shell.page_guard()

with shell.page("Batch") as model:
    st.title(f"Batch · {views.literal(model.title)}")
    st.caption(
        "Score a whole table: every row comes back once, in order, with its prediction or its error."
    )
    batch.draw(model)
