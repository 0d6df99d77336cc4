"""kubepi/decide/layers.py: ctr's tables and manifests read, and how far a download is."""

import pytest

from kubepi.decide.layers import (
    Pace,
    arriving,
    complete,
    digests,
    human_bytes,
    layer_sizes,
    manifest_for,
    room_needed,
)

# ctr 1.7.24 of Debian trixie
LISTED = """\
REF                          TYPE                                       DIGEST          SIZE     PLATFORMS   LABELS
registry.k8s.io/etcd:3.6.8-0 application/vnd.oci.image.manifest.v1+json sha256:9c2c6a70 11.4 MiB linux/amd64 io.cri-containerd.image=managed
"""  # noqa: E501 - as it is printed
CHECKED = """\
REF                          TYPE                                       DIGEST          STATUS         SIZE              UNPACKED
registry.k8s.io/etcd:3.6.8-0 application/vnd.oci.image.manifest.v1+json sha256:9c2c6a70 complete (2/2) 11.4 MiB/11.4 MiB true
registry.k8s.io/pause:3.10.2 application/vnd.oci.image.manifest.v1+json sha256:11111111 complete (2/2) 0.1 MiB/0.1 MiB false
ghcr.io/flannel-io/x:v1      application/vnd.oci.image.manifest.v1+json sha256:22222222 incomplete (1/2) 0.1 MiB/9.1 MiB true
"""  # noqa: E501 - as it is printed
ACTIVE = """\
REF\tSIZE\tAGE\t
layer-sha256:2457e0\t4.194MB\t2 seconds\t
config-sha256:f100ee\t404B\tLess than a second\t
index-registry.k8s.io/x\t1kB\t1 second\t
"""


def test_tables_of_ctr() -> None:
    assert digests(LISTED) == {"registry.k8s.io/etcd:3.6.8-0": "sha256:9c2c6a70"}
    assert complete(CHECKED) == {"registry.k8s.io/etcd:3.6.8-0"}
    assert arriving(ACTIVE) == {"sha256:2457e0": 4_194_000, "sha256:f100ee": 404}
    for table in ("", "REF TYPE\n", "one\n\n two\n"):
        assert (digests(table), complete(table), arriving(table)) == ({}, set(), {})


@pytest.mark.parametrize(
    ("text", "count"),
    [("11.95MB", 11_950_000), ("0B", 0), ("999kB", 999_000), ("1.5GB", 1_500_000_000), ("?", 0)],
)
def test_sizes(text: str, count: int) -> None:
    assert human_bytes(text) == count


def test_the_manifest_of_this_architecture() -> None:
    index = {"manifests": [
        {"digest": "sha256:w", "platform": {"os": "windows", "architecture": "arm64"}},
        {"digest": "sha256:a", "platform": {"os": "linux", "architecture": "amd64"}},
        {"digest": "sha256:b", "platform": {"os": "linux", "architecture": "arm64"}},
        {"digest": "sha256:c"},
    ]}  # fmt: skip
    assert manifest_for(index, "arm64") == "sha256:b"
    assert manifest_for(index, "riscv64") is None
    assert manifest_for({"layers": []}, "arm64") is None


def test_what_an_image_consists_of_and_the_room_it_takes() -> None:
    manifest = {
        "config": {"digest": "sha256:c", "size": 400},
        "layers": [{"digest": "sha256:1", "size": 1000}, {"digest": "sha256:2", "size": 2000}],
    }
    sizes = layer_sizes(manifest)
    assert sizes == {"sha256:1": 1000, "sha256:2": 2000, "sha256:c": 400}
    assert room_needed(sizes, {"sha256:c", "sha256:1"}) == 8000
    assert layer_sizes({}) == {}


def test_a_pace_is_said_when_there_is_one() -> None:
    pace = Pace()
    pace.note(0, 1_000_000)
    assert pace.line(187_000_000) == "1.0 of 187 MB"
    for second in range(1, 41):
        pace.note(second, 1_000_000 + second * 2_000_000)
    assert pace.rate == 2_000_000
    assert pace.line(187_000_000) == "81 of 187 MB, 2.0 MB/s, 53 s left"
    assert pace.line(1_000_000_000) == "81 of 1000 MB, 2.0 MB/s, 8 min left"
    assert len(pace.samples) <= 21


def test_a_pace_knows_since_when_nothing_came() -> None:
    pace = Pace()
    for second, done in enumerate((0, 5, 9, 9, 9)):
        pace.note(second, done)
    assert pace.still_since == 2
    pace.note(5, 10)
    assert pace.still_since == 5
