from __future__ import annotations

from pathlib import Path

import pytest

from kserve_client.catalog.models_file import ModelsFile, load_models_file, parse_models_file
from kserve_client.errors import CatalogError

GOOD = """\
version: 1
endpoints:
  demo:
    url: http://127.0.0.1:8890
models:
  iris:
    title: Iris species
    endpoint: demo
    signature:
      features:
        - {name: length, min: 4, max: 8}
      outputs:
        - {name: predict, kind: label, labels: [setosa, virginica]}
    examples:
      - name: Setosa
        row: {length: 5.1}
        expect: setosa
"""
# (what stands in GOOD, what stands there instead, line, field, problem)
MISTAKES = [
    ("min: 4", "mim: 4", 11, "models.iris.signature.features.0.mim", "did you mean min?"),
    ("endpoint: demo", "endpont: demo", 8, "models.iris.endpont", "did you mean endpoint?"),
    ("    endpoint: demo\n", "", 6, "models.iris.endpoint", "is required"),
    ("    url: http://127.0.0.1:8890", "    title: x", 3, "endpoints.demo.url", "is required"),
    ("min: 4", "min: four", 11, "models.iris.signature.features.0.min", "must be a number"),
    ("[setosa, virginica]", "7", 13, "models.iris.signature.outputs.0.labels", "mapping or a list"),
    ("title: Iris species", "title: 7", 7, "models.iris.title", "must be a text"),
    ("title: Iris species", "title: [a]", 7, "models.iris.title", "must be a text"),
    ("  iris:\n", "\tiris:\n", 6, None, "indent with spaces"),
    ("    endpoint: demo\n", "    endpoint: demo\n    title: x\n", 9, "title", "stands twice"),
    ("endpoint: demo", "endpoint: dmeo", 8, "models.iris.endpoint", "there is demo"),
    ("http://127.0.0.1:8890", "127.0.0.1:8890", 4, "endpoints.demo.url", "write it as http://"),
    ("http://127.0.0.1:8890", "http://h/v2", 4, "endpoints.demo.url", "leave /v2 away"),
    ("min: 4", "min: 8", 11, "models.iris.signature.features.0", "min (8) must be below max (8)"),
    (
        "min: 4, max: 8",
        "kind: category",
        11,
        "models.iris.signature.features.0",
        "a category needs choices",
    ),
    ("kind: label", "kind: lable", 13, "models.iris.signature.outputs.0.kind", "'label'"),
    ("row: {length: 5.1}", "row: {lenght: 5.1}", 16, "models.iris.examples.0.row.lenght", "length"),
    ("5.1", "{file: ../x.png}", 16, "models.iris.examples.0.row.length", "must lie below"),
    ("5.1", "{file: /etc/passwd}", 16, "models.iris.examples.0.row.length", "must lie below"),
    ("5.1", "{file: x.png}", 16, "models.iris.examples.0.row.length", "there is no file x.png"),
    ("5.1", "{file: .}", 16, "models.iris.examples.0.row.length", "there is no file ."),
    ("5.1", "{file: 5}", 16, "models.iris.examples.0.row.length", "write a value, or {file: PATH}"),
    ("5.1", "{fil: x.png}", 16, "models.iris.examples.0.row.length", "{file: PATH}"),
    ("5.1", '{file: "a\\0b"}', 16, "models.iris.examples.0.row.length", "can't be read"),
    ("expect: setosa", "expect: true", 17, "models.iris.examples.0.expect", "must be"),
    ("version: 1", "version: 2", 1, "version", "should be 1"),
    ("  iris:\n", "  7:\n", 6, "models.7", "must be a text"),
    ("models:", "modles:", 5, "modles", "did you mean models?"),
    ("    signature:\n", "    signature: none\n    features:\n", 9, None, ""),
    (GOOD, "", None, None, "it is empty"),
    (GOOD, "# only a comment", None, None, "it is empty"),
    (GOOD, "- iris\n- digits\n", None, None, "a models file is a mapping"),
    (GOOD, "iris", None, None, "a models file is a mapping"),
]


def parse(text: str, folder: Path = Path()) -> ModelsFile:
    return parse_models_file(text, source="models.yaml", folder=folder)


@pytest.mark.parametrize(("old", "new", "line", "field", "problem"), MISTAKES)
def test_typical_mistakes(
    tmp_path: Path, old: str, new: str, line: int | None, field: str | None, problem: str
) -> None:
    """Each is told with its line and its field, in words that help."""
    assert old in GOOD
    with pytest.raises(CatalogError) as caught:
        parse(GOOD.replace(old, new, 1), tmp_path)
    error = caught.value
    assert problem in error.problem
    if problem:
        assert (error.line, error.field) == (line, field)
    assert str(error).startswith("models.yaml")


def test_more_mistakes_are_counted() -> None:
    """The first is told, the rest counted, each once."""
    with pytest.raises(CatalogError, match=r"must be a number \(and 2 more\)"):
        parse(GOOD.replace("min: 4, max: 8", "min: a, max: b").replace("kind: label", "kind: x"))


@pytest.mark.parametrize(
    "auth",
    [
        "{type: bearer, value: s3cret}",
        "{type: bearer, token: s3cret}",
        "{type: s3cret}",
        "{env: A, file: s3cret}",
        "{env: {A: s3cret}}",
        "s3cret",
        "[s3cret]",
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_shown(auth: str) -> None:
    """A models file is read by many."""
    text = GOOD.replace("8890\n", f"8890\n    auth: {auth}\n")
    with pytest.raises(CatalogError) as caught:
        parse(text)
    assert "s3cret" not in f"{caught.value} {caught.value!r}"
    assert caught.value.line == 5


@pytest.mark.parametrize(
    "url", ["http://me:s3cret@h", "ftp://me:s3cret@h", "http://h?token=s3cret"]
)
def test_a_secret_in_a_url_is_not_shown(url: str) -> None:
    """Whatever else is wrong with it."""
    with pytest.raises(CatalogError) as caught:
        parse(GOOD.replace("http://127.0.0.1:8890", url))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "endpoints: {}\nmodels: {}\n",
        "endpoints:\nmodels:\n",
        "endpoints:\n",
        "version: 1\nendpoints:",
    ],
)
def test_no_models_are_an_empty_catalog(text: str) -> None:
    """Also when all of them stand in comments."""
    assert parse(text).models == {}


def test_yes_and_no_are_texts() -> None:
    """As labels, as choices and as the answer an example expects."""
    text = GOOD.replace("[setosa, virginica]", "[no, yes]").replace("expect: setosa", "expect: no")
    found = parse(text).models["iris"]
    assert found.signature is not None
    assert found.signature.outputs[0].labels == ("no", "yes")
    assert found.examples[0].expect == "no"


@pytest.mark.parametrize(
    ("written", "expect"),
    [("3848", 3848.0), ("1.5", 1.5), ('"3"', "3"), ("x", "x"), ("null", None)],
)
def test_an_example_expects_a_label_or_a_number(written: str, expect: str | float | None) -> None:
    """A number in quotes is a label."""
    found = parse(GOOD.replace("expect: setosa", f"expect: {written}")).models["iris"]
    assert found.examples[0].expect == expect
    assert isinstance(found.examples[0].expect, type(expect))


def test_anchors_and_merge_keys() -> None:
    """What models share is written once."""
    text = GOOD + "  other:\n    <<: *iris\n    title: Other\n"
    text = text.replace("  iris:\n", "  iris: &iris\n")
    found = parse(text).models
    assert (found["iris"].title, found["other"].title) == ("Iris species", "Other")
    assert found["other"].signature == found["iris"].signature


def test_a_mistake_in_what_is_merged_has_its_line() -> None:
    """The line of the anchor, where it can be mended."""
    text = (
        GOOD.replace("  iris:\n", "  iris: &iris\n") + "  other:\n    <<: *iris\n    endpoint: x\n"
    )
    with pytest.raises(CatalogError) as caught:
        parse(text)
    assert caught.value.line == 20


def test_files_of_examples_are_read(tmp_path: Path) -> None:
    """As bytes; also through links within the folder, as Kubernetes mounts them."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "three.png").write_bytes(b"three")
    (tmp_path / "three.png").symlink_to("..data/three.png")
    (tmp_path / "out.png").symlink_to("/etc/passwd")
    found = parse(GOOD.replace("5.1", "{file: three.png}"), tmp_path).models["iris"]
    assert found.examples[0].row == {"length": b"three"}
    with pytest.raises(CatalogError, match="must lie below"):
        parse(GOOD.replace("5.1", "{file: out.png}"), tmp_path)


def test_a_large_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples are small."""
    monkeypatch.setattr("kserve_client.catalog.models_file.LARGEST_EXAMPLE_BYTES", 3)
    (tmp_path / "three.png").write_bytes(b"three")
    with pytest.raises(CatalogError, match="larger than"):
        parse(GOOD.replace("5.1", "{file: three.png}"), tmp_path)


def test_loads_a_file(tmp_path: Path) -> None:
    """UTF-8, with or without a byte order mark."""
    file = tmp_path / "models.yaml"
    for encoding in ("utf-8", "utf-8-sig"):
        file.write_text(GOOD.replace("Iris species", "Irís"), encoding=encoding)
        assert load_models_file(file).models["iris"].title == "Irís"


@pytest.mark.parametrize(
    ("content", "why"), [(None, "there is no such file"), (b"\xff\xfe\x00", "can't be read")]
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, why: str) -> None:
    """One sentence that names it."""
    file = tmp_path / "models.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CatalogError, match=f"models.yaml: .*{why}"):
        load_models_file(file)


def test_a_file_that_would_take_minutes_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused at once, also where the limit falls within a letter."""
    monkeypatch.setattr("kserve_client.catalog.models_file.LARGEST_FILE_BYTES", 3)
    file = tmp_path / "models.yaml"
    file.write_text("ííí")
    with pytest.raises(CatalogError, match=r"models\.yaml: it is larger than 3e-06 MB"):
        load_models_file(file)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Nor a traceback."""
    with pytest.raises(CatalogError, match="can't be read"):
        load_models_file(tmp_path)


REFERENCES = """\
endpoints:
  demo: {url: http://h}
mlflow: {url: http://mlflow}
kubernetes: {namespaces: [flowers]}
models:
  iris:
    inference_service: flowers/iris
    mlflow: models:/iris@champion
    sample: {file: rows.csv, leave_out: [id]}
    links: [{title: Card, url: "https://wiki/iris"}]
  other: {endpoint: demo, sample: rows.csv, mlflow: models:/iris/3}
"""


def test_a_model_may_come_from_the_cluster_from_mlflow_and_from_a_sample(tmp_path: Path) -> None:
    """By reference: nothing of it is copied into the file."""
    (tmp_path / "rows.csv").write_text("a\n1\n")
    parsed = parse_models_file(REFERENCES, source="m", folder=tmp_path)
    iris, other = parsed.models.values()
    assert (iris.inference_service, iris.endpoint) == ("flowers/iris", None)
    assert iris.mlflow == "models:/iris@champion"
    assert iris.sample is not None
    assert (iris.sample.file, iris.sample.leave_out) == ("rows.csv", ("id",))
    assert (iris.links[0].title, iris.links[0].url) == ("Card", "https://wiki/iris")
    assert other.sample is not None
    assert (other.sample.file, other.sample.fills_gaps) == ("rows.csv", False)


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "problem"),
    [
        (
            "{namespaces: [flowers]}",
            "{}",
            4,
            "kubernetes",
            "name namespaces, or set all_namespaces",
        ),
        (
            "[flowers]",
            "[flowers], all_namespaces: true",
            4,
            "kubernetes",
            "name namespaces, or set",
        ),
        (
            "[flowers]",
            "[flowers], endpoint: {url: http://x}",
            4,
            "kubernetes.endpoint",
            "url comes from",
        ),
        (
            "[flowers]",
            "[flowers], endpoint: {urll: 1}",
            4,
            "kubernetes.endpoint.urll",
            "did you mean url",
        ),
        (
            "[flowers]",
            "[flowers], endpoint: {auth: {value: x}}",
            4,
            "kubernetes.endpoint.auth.value",
            "holds no secret",
        ),
        ("http://mlflow", "http://me:pw@mlflow", 3, "mlflow.url", "may not hold a user"),
        (
            "url: http://mlflow",
            "url: http://m, auth: {value: x}",
            3,
            "mlflow.auth.value",
            "no secret",
        ),
        (
            "kubernetes: {namespaces: [flowers]}",
            "",
            7,
            "models.iris.inference_service",
            "needs kubern",
        ),
        ("mlflow: {url: http://mlflow}", "", 8, "models.iris.mlflow", "needs mlflow"),
        (
            "flowers/iris",
            "flowers/iris\n    endpoint: demo",
            8,
            "models.iris.endpoint",
            "one of them",
        ),
        ("    inference_service: flowers/iris\n", "", 6, "models.iris.endpoint", "is required"),
        ("flowers/iris", "http://evil/x", 7, "models.iris.inference_service", "pattern"),
        ("models:/iris@champion", "http://evil/x", 8, "models.iris.mlflow", "pattern"),
        ("models:/iris@champion", "models:/iris", 8, "models.iris.mlflow", "pattern"),
        ("file: rows.csv", "file: ../rows.csv", 9, "models.iris.sample", "must lie below"),
        ("file: rows.csv", "file: none.csv", 9, "models.iris.sample", "there is no file none.csv"),
        ("https://wiki/iris", "javascript:x", 10, "models.iris.links.0.url", "pattern"),
    ],
)
def test_what_it_refers_to_must_be_there(
    tmp_path: Path, old: str, new: str, line: int, field: str, problem: str
) -> None:
    """In the file, below its folder, and on no host that the file does not name."""
    (tmp_path / "rows.csv").write_text("a\n1\n")
    with pytest.raises(CatalogError) as caught:
        parse_models_file(REFERENCES.replace(old, new, 1), source="m", folder=tmp_path)
    assert problem in str(caught.value)
    assert (caught.value.line, caught.value.field) == (line, field)
