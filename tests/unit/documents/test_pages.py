"""The documentation says what is so: a reader does what each page says, against scripted servers."""

from __future__ import annotations

import inspect
import re
import shutil
from pathlib import Path

import pytest
import yaml

import kserve_client
from bench.batch import scale
from kserve_client.catalog.inference_services import read_inference_service
from kserve_client.catalog.models_file import parse_models_file
from tests import needs
from tests.unit.documents.pages import DOCS, ROOT, Block, blocks, pages
from tests.unit.documents.reader import LANGUAGES, Reader

PAGES = {str(page.relative_to(ROOT)): page for page in pages()}
WITH_CURL = [
    name for name, page in PAGES.items() if re.search(r"^curl ", page.read_text(), re.MULTILINE)
]
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#([^)\s]+))?\)|\]\(#([^)\s]+)\)")


@pytest.mark.parametrize("name", PAGES)
def test_every_example_does_what_its_page_says(name: str, desk: Path) -> None:
    """Python and the command line run, and print what stands beside them."""
    Reader(desk).read(blocks(PAGES[name]), with_curl=has_curl())


@pytest.mark.parametrize("name", WITH_CURL)
def test_curl_is_there_for_the_pages_that_use_it(name: str) -> None:
    """Where it is not, the test above left its lines out."""
    needs.require(has_curl(), f"there is no curl on the PATH to run {name} with")


def has_curl() -> bool:
    return shutil.which("curl") is not None and shutil.which("bash") is not None


def test_every_block_says_its_language() -> None:
    """A block without one would be read by nobody."""
    strange = [
        block.where
        for page in PAGES.values()
        for block in blocks(page)
        if block.language not in LANGUAGES
    ]
    assert strange == []


def yaml_blocks() -> dict[str, Block]:
    """Those of the reference have their own tests."""
    return {
        block.where: block
        for page in PAGES.values()
        for block in blocks(page)
        if block.language == "yaml" and page.parent.name != "reference"
    }


def is_of_kubernetes(block: Block) -> bool:
    return block.text.startswith("apiVersion:")


def test_every_yaml_example_of_kubernetes_is_an_object_we_know() -> None:
    """A Role gives what discovery asks for; an InferenceService says what its page promises."""
    objects = [
        one
        for block in yaml_blocks().values()
        if is_of_kubernetes(block)
        for one in yaml.safe_load_all(block.text)
    ]
    ours = {"Role", "RoleBinding", "InferenceService"}
    theirs = {"CronJob", "DaskCluster", "NetworkPolicy"}
    assert {one["kind"] for one in objects} == ours | theirs
    rules = {
        "apiGroups": ["serving.kserve.io"],
        "resources": ["inferenceservices"],
        "verbs": ["get", "list", "watch"],
    }
    assert [one["rules"] for one in objects if one["kind"] == "Role"] == [[rules]]
    for one in objects:
        if one["kind"] == "InferenceService":
            service = read_inference_service(one)
            assert service.notes == ()
            assert service.entry.signature is not None


@pytest.mark.parametrize(
    "where", [where for where, block in yaml_blocks().items() if not is_of_kubernetes(block)]
)
def test_every_yaml_example_is_a_models_file(where: str, tmp_path: Path) -> None:
    """The loader reads it, alone or with the parts that it leaves out; samples lie beside it."""
    text = yaml_blocks()[where].text
    for part, empty in (("version", "1"), ("endpoints", "{}"), ("models", "{}")):
        if not re.search(rf"^{part}:", text, re.MULTILINE):
            text = f"{part}: {empty}\n{text}"
    for sample in re.findall(r"\bsample: ([\w.]+)", text):
        (tmp_path / sample).touch()
    parse_models_file(text, source=where, folder=tmp_path)


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    words = [re.sub(r"[^\w\s-]", "", heading.casefold()) for heading in headings]
    return {word.strip().replace(" ", "-") for word in words}


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    """A file that is there, and a heading in it."""
    page = PAGES[name]
    for target, anchor, own in _LINK.findall(page.read_text(encoding="utf-8")):
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{name} leads to {target}"
        if anchor or own:
            assert (anchor or own) in anchors(path), f"{name} leads to {target}#{anchor or own}"


def test_the_readme_and_the_entry_page_lead_to_every_page() -> None:
    """No page has to be found by chance."""
    for entry in (ROOT / "README.md", DOCS / "client.md"):
        linked = {
            (entry.parent / target).resolve()
            for target, _, _ in _LINK.findall(entry.read_text(encoding="utf-8"))
        }
        lacking = {page.name for page in DOCS.glob("*.md")} - {page.name for page in linked}
        assert lacking - {entry.name} == set(), entry.name


def public_names() -> list[str]:
    """What a user can import or call."""
    found = list(kserve_client.__all__)
    for owner in (kserve_client.InferenceClient, kserve_client.Model, kserve_client.Predictions):
        methods = inspect.getmembers(owner, inspect.isfunction)
        found += [name for name, _ in methods if not name.startswith("_") and name != "close"]
    return sorted(set(found))


@pytest.mark.parametrize("name", public_names())
def test_every_public_name_stands_on_a_page(name: str) -> None:
    """Somebody who meets a name finds what it is for."""
    assert any(
        re.search(rf"\b{name}\b", page.read_text(encoding="utf-8")) for page in DOCS.glob("*.md")
    )


def test_the_dask_cluster_of_the_page_is_one_that_its_operator_takes() -> None:
    """One image for all of it, and a service that leads to the scheduler's port."""
    (page,) = [page for page in PAGES.values() if page.name == "scale.md"]
    cluster, policy = (
        yaml.safe_load(block.text) for block in blocks(page) if block.language == "yaml"
    )
    spec = cluster["spec"]
    (worker,) = spec["worker"]["spec"]["containers"]
    (scheduler,) = spec["scheduler"]["spec"]["containers"]
    assert worker["image"] == scheduler["image"]
    assert (worker["args"][0], scheduler["args"]) == ("dask-worker", ["dask-scheduler"])
    ports = {port["name"]: port["containerPort"] for port in scheduler["ports"]}
    served = {port["targetPort"]: port["port"] for port in spec["scheduler"]["service"]["ports"]}
    assert ports == served == {"tcp-comm": 8786, "http-dashboard": 8787}
    name = spec["scheduler"]["service"]["selector"]["dask.org/cluster-name"]
    chosen = policy["spec"]["podSelector"]["matchLabels"]["dask.org/cluster-name"]
    assert name == chosen == cluster["metadata"]["name"]


def test_the_page_on_scale_shows_what_is_simulated() -> None:
    """Its table is that of bench/batch/scale.py."""
    text = (DOCS / "scale.md").read_text(encoding="utf-8")
    assert "".join(f"{line}\n" for line in scale.lines()) in text
