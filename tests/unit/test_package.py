from __future__ import annotations

import subprocess
import sys

import kserve_client


def test_the_public_list_is_sorted_and_whole() -> None:
    """Each public name is there."""
    assert kserve_client.__all__ == sorted(kserve_client.__all__)
    assert all(hasattr(kserve_client, name) for name in kserve_client.__all__)


def test_heavy_libraries_are_loaded_late() -> None:
    """The command line starts without pandas, Pillow or anything that draws."""
    program = (
        "import sys, kserve_client, kserve_client.frames, kserve_client.images\n"
        "heavy = {'pandas', 'PIL', 'matplotlib', 'pyarrow', 'streamlit', 'jsonschema', 'hypothesis'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"
