"""kubepi/steps/kubelet_certificate.py: signed by a master, or asked for by a worker; cut."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from kubepi.decide.credentials import bootstrap_token
from kubepi.errors import StepFailed
from kubepi.machine.certificates import FOLDER, KUBELET
from kubepi.steps.kubelet_certificate import BOOTSTRAP, KubeletCertificate
from tests.certificate_scene import aged
from tests.certs import BEGINS, KEY, YEAR, certificate
from tests.fakes import Answer, FakePi
from tests.kubeadm_certs import NEW
from tests.programs import write_durably
from tests.scene import TOKEN, Master, give_token, init_goal, join_goal
from tests.steps.lawful import obeys

OLD_FILE = "/var/lib/kubelet/pki/kubelet-client-2026-09-21-14-26-40.pem"
MASTERS = KubeletCertificate(init_goal())
WORKERS = KubeletCertificate(join_goal())
OVER = aged(1.5 * YEAR)


def test_the_laws_of_a_masters_kubelet(tmp_path: Path) -> None:
    def make(folder: Path) -> FakePi:
        pi = OVER(folder)
        pi.path(KUBELET).unlink()
        pi.put(OLD_FILE, certificate() + KEY, 0o600)
        pi.path(KUBELET).symlink_to(OLD_FILE)
        pi.fake_disk.make_all_durable()
        return pi

    pi = obeys(MASTERS, make, tmp_path)
    target = pi.link_target(KUBELET)
    assert target is not None
    assert target.startswith("/var/lib/kubelet/pki/kubelet-client-")
    assert pi.mode(target) == 0o600
    assert pi.read(target) == certificate(*NEW) + KEY
    assert not pi.exists("/run/kubepi/kubeconfig"), "it holds a key"
    assert ("systemctl", "restart", "kubelet") in pi.ran


class Worker(Master):
    """Its kubelet starts with the boot; somebody has to let it in before it is given anything."""

    def tree(self, ignoring: Sequence[str] = ()) -> dict[str, tuple[str, int]]:  # type: ignore[override]
        return super().tree((*ignoring, "/proc"))


def worker(folder: Path) -> FakePi:
    """Off for a year and a half; the master is well."""
    pi = OVER(folder)
    for name in ("admin.conf", "super-admin.conf", "pki/ca.key"):
        pi.path(f"{FOLDER}/{name}").unlink()
    pi.__class__ = Worker
    give_token(pi)
    pi.looks("kubectl", script=_masters_api)
    pi.clock.on_sleep.append(lambda: _kubelet_works(pi))
    pi.fake_disk.make_all_durable()
    return pi


def _masters_api(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    config = pi.read(argv[argv.index("--kubeconfig") + 1].removeprefix(str(pi.root))) or "{}"
    token = json.loads(config)["users"][0]["user"]["token"]
    assert token == bootstrap_token(TOKEN)
    if pi.now() < BEGINS + 1.5 * YEAR + 10:
        return 1, "error: You must be logged in to the server (Unauthorized)"
    return 0, "ok"


def _kubelet_works(pi: FakePi) -> None:
    restarted = ("systemctl", "restart", "kubelet") in pi.ran
    if restarted and pi.exists(BOOTSTRAP) and not pi.exists(KUBELET):
        write_durably(pi, OLD_FILE.replace("2026", "2028"), certificate(*NEW) + KEY)
        pi.path(KUBELET).symlink_to(OLD_FILE.replace("2026", "2028"))
        pi.fake_disk.make_durable(pi.path(KUBELET).parent)


def test_the_laws_of_a_workers_kubelet(tmp_path: Path) -> None:
    pi = obeys(WORKERS, worker, tmp_path)
    assert not pi.exists(BOOTSTRAP), "it holds a token"
    secret = bootstrap_token(TOKEN).split(".")[1]
    for argv in (*pi.ran, *pi.probed):
        assert secret not in " ".join(argv)


def test_the_bootstrap_file_is_for_root_alone(tmp_path: Path) -> None:
    pi = worker(tmp_path / "pi")
    seen: list[int | None] = []
    pi.clock.on_sleep.append(lambda: seen.append(pi.mode(BOOTSTRAP)))
    WORKERS.apply(pi)
    assert {mode for mode in seen if mode is not None} == {0o600}


def test_a_worker_says_that_its_master_is_to_be_healed_first(tmp_path: Path) -> None:
    pi = worker(tmp_path / "pi")
    pi.looks("kubectl", script=lambda *_: (1, "x509: certificate has expired or is not yet valid"))
    with pytest.raises(StepFailed, match="of the master have ended") as caught:
        WORKERS.apply(pi)
    assert "doctor --fix there first" in caught.value.hint


def test_a_bootstrap_file_that_was_left_goes(tmp_path: Path) -> None:
    pi = aged(0.1 * YEAR)(tmp_path / "pi")
    pi.put(BOOTSTRAP, "{}", 0o600)
    assert str(MASTERS.check(pi.read_only())) == f"{BOOTSTRAP} is left"
    MASTERS.apply(pi)
    assert MASTERS.check(pi.read_only()) is None
    assert pi.ran == []
