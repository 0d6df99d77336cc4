"""What kubeadm signs on a FakePi: at its first init or join, anew at other addresses, and later.

Its effects are those of v1.36.3, run by hand: `certs renew all` skips what is missing and fails at
what it cannot read, the phases of init make what is missing and trip over half of a pair.
"""

from collections.abc import Sequence
from pathlib import Path

import yaml

from kubepi.decide.address import CERTIFICATES, certificate_addresses
from kubepi.decide.certificates import read_certificate
from kubepi.machine import certificates
from kubepi.machine.certificates import FOLDER, KUBECONFIGS, LEAVES, PKI
from tests.certs import BEGINS, ENDS, KEY, YEAR, certificate, kubeconfig
from tests.fakes import FakePi
from tests.programs import Effects, write

OWN = "10.0.0.7"
FIRST, NEW = (BEGINS, ENDS), (ENDS, ENDS + YEAR)  # the dates of what is signed, early and late


def dates(pi: FakePi) -> tuple[float, float]:
    return FIRST if pi.now() < BEGINS + YEAR / 2 else NEW


def pair(leaf: str, address: str, begins: float, ends: float) -> dict[str, str]:
    """A key and its certificate, in the order in which kubeadm writes them."""
    addresses = ("127.0.0.1", address) if leaf in CERTIFICATES else ()
    made = certificate(begins, ends, addresses)
    return {f"{PKI}/{leaf}.key": KEY, f"{PKI}/{leaf}.crt": made}


def addressed(address: str = OWN) -> dict[str, str]:
    """Those that are only good for this address of a control plane."""
    return {k: v for leaf in CERTIFICATES for k, v in pair(leaf, address, *FIRST).items()}


def all_pairs() -> dict[str, str]:
    return {k: v for leaf in LEAVES for k, v in pair(leaf, OWN, *FIRST).items()}


def kubeconfigs() -> dict[str, str]:
    """Of every master."""
    return {f"{FOLDER}/{name}": kubeconfig(name) for name in KUBECONFIGS}


def phase(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    """`kubeadm init phase certs NAME`, or `… kubeconfig NAME --kubeconfig-dir FOLDER`."""
    what, name, config = argv[3], argv[4], argv[argv.index("--config") + 1]
    documents = list(yaml.safe_load_all(Path(config).read_text()))
    assert [one["kind"] for one in documents] == ["InitConfiguration", "ClusterConfiguration"]
    assert documents[1]["encryptionAlgorithm"] == "ECDSA-P256"
    yield
    if what == "kubeconfig":
        folder = Path(argv[argv.index("--kubeconfig-dir") + 1]).relative_to(pi.root)
        write(pi, f"/{folder}/{name}.conf", kubeconfig(f"{name}.conf", *dates(pi)), 0o600)
        return 0, ""
    leaf = next(leaf for leaf in LEAVES if leaf.replace("/", "-") == name)
    address = documents[0]["localAPIEndpoint"]["advertiseAddress"]
    made = pair(leaf, address, *dates(pi))
    if any(pi.exists(name) for name in made):
        return 1, f"error execution phase certs/{name}: a certificate or key is there"
    yield from _write_all(pi, made)
    return 0, ""


def renew(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    """`kubeadm certs renew all`: in place and without a sync; whom one is for stays as it was."""
    for name in certificates.kubeconfigs(pi):
        if certificates.control_plane(pi)[name] is None:
            return 1, f"error: invalid kubeConfig file {FOLDER}/{name}"
        write(pi, f"{FOLDER}/{name}", kubeconfig(name, *dates(pi)), 0o600)
        yield
    for leaf in LEAVES:
        old = pi.read(f"{PKI}/{leaf}.crt")
        if old is None:
            continue
        if read_certificate(old) is None:
            return 1, f"error: failed to load existing certificate {leaf}"
        addresses = sorted(certificate_addresses(old))
        made = certificate(*dates(pi), addresses)
        yield from _write_all(pi, {f"{PKI}/{leaf}.key": KEY, f"{PKI}/{leaf}.crt": made})
    return 0, ""


def _write_all(pi: FakePi, files: dict[str, str]) -> Effects:
    for name, text in files.items():
        write(pi, name, text, 0o600)
        yield
    return 0, ""
