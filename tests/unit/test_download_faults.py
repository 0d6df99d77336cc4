"""kubepi/decide/download_faults.py: what apt 2.6, apt 3.0, ctr 1.6 and ctr 1.7 said in the lab."""

import pytest

from kubepi.decide.download_faults import apt_fault, image_fault, looks_like_a_page

URL = "http://10.99.0.254:8080/core:/stable:/v1.36/deb"
FETCH = f"E: Failed to fetch {URL}/InRelease "
REPOSITORY = "the package repository 10.99.0.254:8080"
SQV = "  Sub-process /usr/bin/sqv returned an error code (1), error message is: "
GPG = f"W: GPG error: {URL}  InRelease: The following signatures "

APT = [
    (f"{FETCH} Unable to connect to 10.99.0.254:8080:", "nobody answers there"),
    (f"{FETCH} Could not connect to 10.99.0.254:8080 (10.99.0.254).", "nobody answers there"),
    ("W: Failed to fetch http://deb.debian.org/debian/dists/trixie/InRelease  Temporary failure "
     "resolving 'deb.debian.org'", "its name has no address"),
    (f"{FETCH} 503  Service Unavailable [IP: 10.99.0.254 8080]",
     "it answers with an error instead of package lists"),
    (f"E: The repository '{URL}  Release' does not have a Release file.",
     "it answers with an error instead of package lists"),
    (f"{FETCH} Clearsigned file isn't valid, got 'NOSPLIT' (does the network require "
     f"authentication?)\nE: The repository '{URL}  InRelease' is not signed.",
     "it answers with something else than package lists"),
    (f"E: Failed to fetch {URL}/Packages  File has unexpected size (45 != 1607). Mirror sync in "
     "progress? [IP: 10.99.0.254 8080]", "what it sends is not what its lists say"),
    (f"{FETCH} Undetermined Error [IP: 10.99.0.254 8080]", "the line to it broke"),
    (f"{FETCH} Connection timed out [IP: 10.99.0.254 8080]", "the line to it broke"),
    (f"Err:1 {URL}  InRelease\n{SQV}Signing key on 3CC1593A is bad:            The primary key is "
     f"not live   because: Expired on 2024-12-31T00:00:00Z\nE: The repository '{URL}  InRelease' "
     "is not signed.", "the key that signs the packages has expired"),
    (f"{GPG}were invalid: EXPKEYSIG 6437E61701FA50FF packages <packages@lab.invalid>",
     "the key that signs the packages has expired"),
    (f"Err:1 {URL}  InRelease\n{SQV}Missing key 3CC1593A, which is needed to verify signature.",
     "the package lists are not signed by the key that is trusted"),
    (f"{GPG}couldn't be verified because the public key is not available: NO_PUBKEY 6437E61701FA",
     "the package lists are not signed by the key that is trusted"),
    (f"E: Release file for {URL}/InRelease is not valid yet (invalid for another 2h 3min 2s).",
     "the lists are signed at a time that is still to come"),
    (f"E: Release file for {URL}/InRelease is expired (invalid since 3d 2h 1min 9s).",
     "the lists are older than they may be"),
    (f"{FETCH} 407  Proxy Authentication Required", "the proxy wants a user and a password"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "sentence"), APT)
def test_what_apt_says(said: str, sentence: str) -> None:
    found = apt_fault(f"Reading package lists...\n{said}\n")
    assert found is not None
    assert found[0].partition(": ")[2] == sentence or found[0].endswith(f": {sentence}")
    where = "deb.debian.org" if "deb.debian.org" in said else "10.99.0.254:8080"
    assert found[0] == f"the package repository {where}: {sentence}"
    assert found[1]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("E: You don't have enough free space in /var/cache/apt/archives/.",
         "apt: there is no room on the disk for the packages"),
        ("E: Packages need to be removed but remove is disabled.",
         "apt: what is installed here would have to go (containerd.io of Docker, for example)"),
    ],
)  # fmt: skip
def test_what_is_of_no_repository(said: str, sentence: str) -> None:
    assert (apt_fault(said) or ("", ""))[0] == sentence


@pytest.mark.parametrize(
    "said",
    [
        "", "E: Unable to locate package containerd",
        # progress of other sources is no fault
        f"Get:1 {URL}  InRelease [503 B]\nHit:2 http://deb.debian.org/x timeout\nDone",
        "E: Sub-process /usr/bin/dpkg returned an error code (1)",
    ],
)  # fmt: skip
def test_what_is_no_fault_of_a_download(said: str) -> None:
    assert apt_fault(said) is None


IMAGE = "ghcr.io/flannel-io/flannel:v0.28.4"
RESOLVE = f'ctr: failed to resolve reference "{IMAGE}": '
HEAD = "http://10.99.0.254:5000/v2/flannel-io/flannel/manifests/v0.28.4?ns=ghcr.io"

CTR = [
    (f'{RESOLVE}failed to do request: Head "{HEAD}": dial tcp 10.99.0.254:5000: connect: '
     "connection refused", "nobody answers there"),
    (f'{RESOLVE}failed to do request: Head "https://ghcr.io/v2/x": dial tcp: lookup ghcr.io on '
     "10.0.0.1:53: no such host", "its name has no address"),
    (f"{RESOLVE}unexpected status from HEAD request to {HEAD}: 503 Service Unavailable",
     "it answers with an error of its own"),
    (f"{RESOLVE}pulling from host 10.99.0.254:5000 failed with status code [manifests v0.28.4]: "
     "503 Service Unavailable", "it answers with an error of its own"),
    (f"ctr: failed to copy: httpReadSeeker: failed open: unexpected status code {HEAD}: 503 "
     "Service Unavailable", "it answers with an error of its own"),
    (f"{RESOLVE}unexpected status from HEAD request to {HEAD}: 429 Too Many Requests",
     "it lets nobody pull more for now (a limit for each address)"),
    (f"{RESOLVE}{IMAGE}: not found", "it does not have the image"),
    ("ctr: failed to copy: httpReadSeeker: failed open: could not fetch content descriptor "
     "sha256:f139ee8a8a94 (application/octet-stream) from remote: not found",
     "it does not have the image"),
    (f"ctr: unable to check unpack for {IMAGE}: unexpected media type text/html for "
     "sha256:f2dcc96deec8: not found", "it answers with something else than images"),
    ('ctr: failed commit on ref "layer-sha256:b0066887": commit failed: "layer-sha256:b0066887" '
     "failed size validation: 15000000 != 11374561: failed precondition",
     "it answers with something else than images"),
    ("ctr: failed to read expected number of bytes: unexpected EOF", "the line to it broke"),
    ("ctr: failed to extract layer sha256:4e5ff183: write /x/libgmp.so.10: no space left on "
     "device: unknown", "there is no room on the disk for the images"),
    (f'{RESOLVE}failed to do request: Head "https://ghcr.io/v2/x": tls: failed to verify '
     "certificate: x509: certificate signed by unknown authority",
     "its certificate is not trusted"),
]  # fmt: skip
ON_THE_WAY = 'level=info msg="trying next host" error="lookup ghcr.io: no such host"\n'


@pytest.mark.parametrize(("said", "sentence"), CTR)
@pytest.mark.parametrize("mirror", ["", "http://10.99.0.254:5000"])
def test_what_ctr_says(said: str, sentence: str, mirror: str) -> None:
    found = image_fault(IMAGE, mirror, ON_THE_WAY + said)
    where = f"the mirror {mirror} of ghcr.io" if mirror else "the registry ghcr.io"
    assert found is not None
    assert found[0] == f"{where}: {sentence} ({IMAGE})"
    assert found[1]


def test_what_is_no_fault_of_a_registry() -> None:
    assert image_fault(IMAGE, "", "ctr: failed to dial containerd") is None


@pytest.mark.parametrize(
    ("text", "is_page"),
    [
        ("<!DOCTYPE html>\n<title>Hotel</title>", True), ("\n <HTML><body>log in", True),
        ("-----BEGIN PGP PUBLIC KEY BLOCK-----", False), ("", False),
        ("x" * 3000 + "<html>", False),
    ],
)  # fmt: skip
def test_pages(text: str, is_page: bool) -> None:
    assert looks_like_a_page(text) is is_page
