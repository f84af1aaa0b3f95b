"""The page Batch: a table goes up, every row comes back with its prediction or its error."""

from __future__ import annotations

import streamlit as st

from dashboard import gateway
from dashboard.batch import checking, choosing, listing, mapping, pilot, results, running, steps
from dashboard.jobs import JobView, StorageTroubleError
from dashboard.shell import Chosen
from dashboard.views import literal
from kserve_client.catalog import Catalog
from kserve_client.signature import Signature

__all__ = ["draw"]


def draw(model: Chosen) -> None:
    """The job that the address names, else the steps that lead to one."""
    signature = gateway.open_model(model.name).signature
    view = _asked(model)
    if view is None:
        _prepare(model, signature)
    elif view.is_over:
        _over(signature, view)
    else:
        _headline(view)
        is_sensitive = any(feature.sensitive for feature in signature.features)
        running.draw(view.id, is_sensitive=is_sensitive)


def _asked(model: Chosen) -> JobView | None:
    """The job that the address names, if it is one of this model."""
    asked = steps.asked_job()
    view = gateway.jobs().get(asked, steps.owner())
    if asked and view is None:
        if _problem(asked):
            steps.wait_while(lambda: _problem(asked))
        st.info("The dashboard knows no job of this link (any more). Score the table again.")
    if view is not None and view.model_name != model.name:
        _of_another(model.catalog, view)
        return None
    return view


def _of_another(catalog: Catalog, view: JobView) -> None:
    """The address names another model than that of its job: whose job it is, and the way to it."""
    is_known = view.model_name in catalog
    title = catalog.title(view.model_name) if is_known else view.model_name
    st.info(
        f"The job **{literal(view.input_name or view.id)}** of this link is one of "
        f"{literal(title)}."
    )
    if is_known:  # no link: one from a page to itself leaves the address as it was (1.67)
        st.button(
            "Open that job",
            key="open.asked",
            icon=":material/arrow_forward:",
            on_click=listing.open_job,
            args=(view,),
        )


def _problem(asked: str) -> str:
    """Why nobody knows whether there is such a job; "" when it is known."""
    jobs = gateway.jobs()
    return "" if jobs.get(asked, steps.owner()) else jobs.problem()


def _headline(view: JobView) -> None:
    st.subheader(literal(view.input_name))


def _over(signature: Signature, view: JobView) -> None:
    _headline(view)
    try:
        results.draw(signature, view)
    except StorageTroubleError as error:
        steps.try_again(error)


def _prepare(model: Chosen, signature: Signature) -> None:
    """The steps until the run; each is drawn once the one before has nothing open."""
    made = steps.preparation(model.name) or choosing.kept(model, signature)
    steps.upload_in_address(made)
    if made is None:
        choosing.draw(model, signature)
        listing.draw(model.catalog)
        return
    choosing.line(signature, made)
    is_ready = False
    if made.draft is not None:
        mapping.draw(made.draft, signature)
        is_ready = made.draft.is_mapped and checking.draw(made.draft, signature)
    if made.draft is not None and is_ready:
        pilot.draw(model, signature, made.draft)
    else:
        choosing.another(model)
