"""kubepi/decide/kernels.py: whether a boot brings a newer kernel."""

import pytest

from kubepi.decide.kernels import newer_kernel


@pytest.mark.parametrize(
    ("running", "installed", "newer"),
    [
        ("6.12.34+rpt-rpi-v8", ["6.12.34+rpt-rpi-v8", "6.12.47+rpt-rpi-2712"], None),
        ("6.12.34+rpt-rpi-v8", ["6.12.9+rpt-rpi-v8", "6.12.47+rpt-rpi-v8"], "6.12.47+rpt-rpi-v8"),
        ("6.1.0-37-amd64", ["6.1.0-9-amd64", "6.1.0-40-amd64"], "6.1.0-40-amd64"),
        ("6.12.48+deb13-amd64", ["6.12.43+deb13-amd64", "6.12.48+deb13-amd64"], None),
        ("6.8.0-1013-raspi", ["6.8.0-1014-raspi", "6.8.0-40-generic"], "6.8.0-1014-raspi"),
        ("6.12.34-v8+", ["extra"], None),
        ("6.18.0", [], None),
        ("", ["6.12.1+x"], None),
    ],
)
def test_a_newer_kernel_of_the_same_flavour(
    running: str, installed: list[str], newer: str | None
) -> None:
    assert newer_kernel(running, installed) == newer
