"""Options of the test run, and what tests of several folders share."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).parent.parent
LAB_FOLDER = REPOSITORY / "tests" / "lab"
# how long an example takes says more of the machine than of what is tested
settings.register_profile("any machine", settings(), deadline=None)
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="leave the lab out")
    parser.addoption("--long", default="", help="run the long forms instead: names or all")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long forms run alone and by name; the lab where it can."""
    names = config.getoption("--long")
    chosen = set(names.split(",")) if names else set()
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        long = item.get_closest_marker("long")
        if long is None:
            is_wanted = not names and not (config.getoption("--quick") and _needs_lab(item))
        else:
            is_wanted = bool(chosen & {"all", long.args[0]})
        (kept if is_wanted else left_out).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)
    reason = why_no_lab()
    for item in items:
        if reason and _needs_lab(item):
            item.add_marker(pytest.mark.skip(reason=reason))


def _needs_lab(item: pytest.Item) -> bool:
    return item.get_closest_marker("lab") is not None


def why_no_lab() -> str:
    """Why the virtual Pis cannot run here; "" if they can."""
    if os.geteuid() != 0:
        return "the lab needs root"
    if shutil.which("apt-get") is None:
        return "the lab needs a Debian or Ubuntu machine"
    kit = os.environ.get("KUBEPI_KIT", "")
    beside = REPOSITORY.parent / "shared" / "kube-bundle"
    if not (kit and Path(kit, "bundle.yaml").exists()) and not (beside / "bundle.yaml").exists():
        return "the lab needs an offline kit: KUBEPI_KIT=DIR; tests/lab/build-kit builds one"
    return ""


@pytest.fixture(scope="session")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """kubepi.pyz, built once from this checkout."""
    target = tmp_path_factory.mktemp("pyz") / "kubepi.pyz"
    subprocess.run(
        [sys.executable, str(REPOSITORY / "build_zipapp.py"), "-o", str(target)], check=True
    )
    yield target
