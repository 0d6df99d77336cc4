"""kubepi/steps/leave.py where kube-proxy ran in its nftables mode."""

from collections.abc import Sequence
from pathlib import Path

from kubepi.steps.leave import NetworkCleaned
from tests.fakes import Answer, FakePi
from tests.scene import fresh_pi


def test_the_table_of_kube_proxys_nftables_mode_goes_and_others_stay(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    tables = ["table ip kube-proxy", "table ip6 kube-proxy", "table ip nat", "table inet mine"]

    def delete(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        tables.remove(f"table {argv[3]} {argv[4]}")
        return 0, ""

    pi.looks("nft", "list", "tables", script=lambda *_: (0, "".join(f"{t}\n" for t in tables)))
    pi.changes("nft", "delete", script=delete)
    assert str(NetworkCleaned().check(pi.read_only())) == (
        "nft ip, nft ip6 has rules of Kubernetes"
    )
    NetworkCleaned().apply(pi)
    assert tables == ["table ip nat", "table inet mine"]
    assert NetworkCleaned().check(pi.read_only()) is None
