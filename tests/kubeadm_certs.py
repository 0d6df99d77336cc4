"""The certificates of a FakePi's control plane: as much of each as says what it is good for."""

import base64
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

import yaml

from kubepi.decide.address import CERTIFICATES
from tests.fakes import FakePi
from tests.programs import Effects, write

OWN = "10.0.0.7"


def value(tag: int, content: bytes) -> bytes:
    """A DER value of less than 256 bytes."""
    length = [len(content)] if len(content) < 128 else [0x81, len(content)]
    return bytes([tag, *length]) + content


def certificate(*addresses: str, critical: bytes = b"") -> str:
    """For localhost and these addresses."""
    names = value(0x82, b"localhost") + b"".join(
        value(0x87, IPv4Address(address).packed) for address in addresses
    )
    about = bytes.fromhex("0603551d11") + critical + value(0x04, value(0x30, names))
    text = base64.encodebytes(value(0x30, value(0x30, about))).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"


def certificates(address: str = OWN) -> dict[str, str]:
    """What kubeadm makes for the address of a control plane."""
    found = {f"{path}.crt": certificate("127.0.0.1", address) for path in CERTIFICATES}
    return found | {f"{path}.key": f"a key for {address}" for path in CERTIFICATES}


def kubeadm_certs(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    """In place and without a sync, and it trips over what is left of another."""
    config = list(yaml.safe_load_all(Path(argv[argv.index("--config") + 1]).read_text()))
    path = next(path for path, phase in CERTIFICATES.items() if phase == argv[4])
    if pi.exists(f"{path}.crt") or pi.exists(f"{path}.key"):
        return 1, f"error execution phase certs/{argv[4]}: a certificate or key is there"
    yield
    made = certificates(config[0]["localAPIEndpoint"]["advertiseAddress"])
    for name in (f"{path}.key", f"{path}.crt"):
        write(pi, name, made[name], 0o600)
        yield
    return 0, ""
