"""kubepi/steps/certificates.py, signing.py, static_pods.py: renewed, made anew, cut."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from kubepi.cluster import kubectl
from kubepi.decide.address import CERTIFICATES, certificate_addresses
from kubepi.decide.adverts import Advert
from kubepi.decide.certificates import Certificate, read_certificate
from kubepi.decide.peerbook import Peer
from kubepi.errors import NotYet, StepFailed
from kubepi.lan.peers import PEERS, to_json
from kubepi.machine import certificates
from kubepi.machine.certificates import FOLDER, PKI
from kubepi.steps.certificates import AdminKubeconfigRenewed, ControlPlaneCertificates
from kubepi.steps.control_plane_address import ControlPlaneAddressed
from kubepi.steps.kubelet_certificate import KubeletCertificate
from kubepi.steps.static_pods import ANNOTATION, MANIFESTS, STATIC_PODS
from tests.certificate_scene import Api, aged
from tests.certs import BEGINS, ENDS, YEAR, certificate, kubeconfig
from tests.fakes import Answer, FakePi
from tests.kubeadm_certs import NEW, OWN, addressed
from tests.scene import init_goal
from tests.steps.lawful import obeys

CONTROL_PLANE = ControlPlaneCertificates(init_goal())
MASTERS = KubeletCertificate(init_goal())
DUE, OVER = aged(0.8 * YEAR), aged(1.5 * YEAR)


# --- a master's -------------------------------------------------------------------------------


@pytest.mark.parametrize("make_pi", [DUE, OVER], ids=["due", "over"])
def test_the_laws_of_a_renewal(make_pi: Callable[[Path], FakePi], tmp_path: Path) -> None:
    pi = obeys(CONTROL_PLANE, make_pi, tmp_path)
    dates = {one.ends for one in certificates.control_plane(pi).values() if one is not None}
    assert dates == {NEW[1]}
    marks = {yaml.safe_load(pi.read(f"{MANIFESTS}/{pod}.yaml") or "")["metadata"]["annotations"]
             [ANNOTATION] for pod in STATIC_PODS}  # fmt: skip
    assert len(marks) == 1
    assert pi.mode(f"{MANIFESTS}/etcd.yaml") == 0o600


def test_young_ones_are_left_alone(tmp_path: Path) -> None:
    pi = aged(0.5 * YEAR)(tmp_path / "pi")
    assert CONTROL_PLANE.check(pi.read_only()) is None
    before = pi.tree()
    CONTROL_PLANE.apply(pi)
    assert pi.tree() == before


def test_the_finding_names_the_first_that_ends(tmp_path: Path) -> None:
    pi = DUE(tmp_path / "pi")
    pi.put(f"{PKI}/etcd/peer.crt", certificate(BEGINS, ENDS - YEAR / 2))
    assert str(CONTROL_PLANE.check(pi.read_only())) == (
        "pki/etcd/peer.crt ended on 2027-03-23 02:13 UTC"
    )


def test_the_components_are_started_anew_one_after_the_other(tmp_path: Path) -> None:
    pi = DUE(tmp_path / "pi")
    api = Api(pi)
    CONTROL_PLANE.apply(pi)
    assert api.pods_asked == [*STATIC_PODS, *STATIC_PODS]


def test_without_an_api_kubelet_is_off_while_the_manifests_change(tmp_path: Path) -> None:
    pi = OVER(tmp_path / "pi")
    pi.running.discard("kubelet.service")  # as after a year: it ended at once
    CONTROL_PLANE.apply(pi)
    said = [argv for argv in pi.ran if argv[0] == "systemctl"]
    assert said == [("systemctl", "stop", "kubelet"), ("systemctl", "start", "kubelet")]


def test_a_component_that_was_put_aside_stays_there(tmp_path: Path) -> None:
    """The controllers rest while a whole cluster comes back (steps/holding.py)."""
    pi = DUE(tmp_path / "pi")
    pi.path(f"{MANIFESTS}/kube-controller-manager.yaml").unlink()
    CONTROL_PLANE.apply(pi)
    assert CONTROL_PLANE.check(pi.read_only()) is None
    assert not pi.exists(f"{MANIFESTS}/kube-controller-manager.yaml")


def test_a_component_that_does_not_come_up_is_named(tmp_path: Path) -> None:
    pi = DUE(tmp_path / "pi")
    api = Api(pi)

    def stuck(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        code, text = api.answer(pi, argv, stdin)
        return code, text.replace('"True"', '"False"')

    pi.looks("kubectl", script=stuck)
    with pytest.raises(StepFailed, match="etcd with its new certificates; last seen: it is not re"):
        CONTROL_PLANE.apply(pi)
    assert str(CONTROL_PLANE.check(pi)) == "an earlier renewal was interrupted"
    pi.ran.clear()
    pi.looks("kubectl", script=api.answer)
    CONTROL_PLANE.apply(pi)
    assert not [argv for argv in pi.ran if argv[0] == "kubeadm"], "they were renewed already"
    assert CONTROL_PLANE.check(pi) is None


def test_those_for_another_address_are_renewed_for_that(tmp_path: Path) -> None:
    pi = DUE(tmp_path / "pi")
    for name, text in addressed("10.0.0.5").items():
        pi.put(name, text, 0o600)
    ControlPlaneAddressed(init_goal()).apply(pi)
    CONTROL_PLANE.apply(pi)
    for name in CERTIFICATES:
        text = pi.read(f"{PKI}/{name}.crt") or ""
        assert certificate_addresses(text) == {"127.0.0.1", OWN}
        assert read_certificate(text) == Certificate(*NEW)


@pytest.mark.parametrize(
    "name", ["pki/apiserver.crt", "pki/etcd/server.key", "admin.conf", "scheduler.conf"]
)
@pytest.mark.parametrize("text", ["", None])
def test_what_a_power_cut_left_empty_is_made_anew(
    name: str, text: str | None, tmp_path: Path
) -> None:
    if name == "admin.conf" and text is None:
        return  # then it is no master
    pi = aged(0.1 * YEAR)(tmp_path / "pi")
    if text is None:
        pi.path(f"{FOLDER}/{name}").unlink()
    else:
        pi.put(f"{FOLDER}/{name}", text, 0o600)
    assert "cannot be read" in str(CONTROL_PLANE.check(pi.read_only()))
    CONTROL_PLANE.apply(pi)
    assert CONTROL_PLANE.check(pi.read_only()) is None


def test_admin_conf_is_never_away(tmp_path: Path) -> None:
    """It is how this Pi knows that it is a master: without it, kubeadm init would be next."""
    pi = aged(0.1 * YEAR)(tmp_path / "pi")
    pi.put(kubectl.ADMIN, "", 0o600)
    CONTROL_PLANE.apply(pi)
    gone = [line for line in pi.fake_disk.trail if line.startswith("unlink")]
    assert [line for line in gone if line.endswith("/admin.conf")] == []


def test_no_cluster_has_no_certificates(tmp_path: Path) -> None:
    pi = FakePi(_folder(tmp_path), {})
    for step in (CONTROL_PLANE, MASTERS):
        with pytest.raises(NotYet):
            step.check(pi)


def _folder(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


# --- a wrong clock ----------------------------------------------------------------------------


def hears_time(pi: FakePi, seconds: float) -> None:
    peer = Advert(node="pi2", node_id="b", role="worker", state="ready", time=int(seconds))
    pi.put(PEERS, json.dumps(to_json({"b": Peer(peer, True, pi.monotonic())})))


@pytest.mark.parametrize("step", [CONTROL_PLANE, MASTERS], ids=["control plane", "kubelet"])
def test_nothing_is_signed_by_a_clock_that_is_ahead(
    step: ControlPlaneCertificates | KubeletCertificate, tmp_path: Path
) -> None:
    pi = OVER(tmp_path / "pi")
    hears_time(pi, BEGINS + 0.5 * YEAR)
    before = pi.tree()
    with pytest.raises(StepFailed, match=r"clock is 365\.0 days ahead of pi2's") as caught:
        step.apply(pi)
    assert "date --set" in caught.value.hint
    assert pi.tree() == before
    hears_time(pi, pi.now() - 60)
    step.apply(pi)
    assert step.check(pi.read_only()) is None


def test_a_time_service_knows_better_than_a_peer(tmp_path: Path) -> None:
    pi = OVER(tmp_path / "pi")
    hears_time(pi, BEGINS + 0.5 * YEAR)
    pi.put("/run/systemd/timesync/synchronized", "")
    CONTROL_PLANE.apply(pi)
    assert CONTROL_PLANE.check(pi.read_only()) is None


# --- copies of admin.conf -----------------------------------------------------------------------

ANNS = AdminKubeconfigRenewed("/home/ann", 1000, 1001)


def with_older_copy(folder: Path) -> FakePi:
    pi = DUE(folder)
    pi.put(ANNS.path, pi.read(kubectl.ADMIN) or "", 0o600)
    pi.put(kubectl.ADMIN, kubeconfig("admin.conf", *NEW), 0o600)
    pi.fake_disk.make_all_durable()
    return pi


def test_an_older_copy_obeys_the_laws(tmp_path: Path) -> None:
    pi = obeys(ANNS, with_older_copy, tmp_path)
    assert pi.read(ANNS.path) == pi.read(kubectl.ADMIN)


@pytest.mark.parametrize("text", ["contexts: [mine, theirs]\n", None])
def test_what_a_user_made_of_it_stays(text: str | None, tmp_path: Path) -> None:
    pi = with_older_copy(tmp_path / "pi")
    pi.path(ANNS.path).unlink()
    if text is not None:
        pi.put(ANNS.path, text)
    assert ANNS.check(pi.read_only()) is None
    ANNS.apply(pi)
    assert pi.read(ANNS.path) == text
