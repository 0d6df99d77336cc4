"""Images in a registry become what upstream's are: an index with a manifest for each architecture.

Clients do other things with an index than with a manifest alone, so the lab has what the world has.
"""

import hashlib
import http.client
import json
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
OCTETS = "application/octet-stream"
OTHER = {"amd64": "arm64", "arm64": "amd64"}


def make_index(port: int, repository: str, tag: str) -> None:
    """Put an index under the tag: the manifest that was there, and a twin for the other one."""
    base = f"/v2/{repository}"
    manifest = json.loads(ask(port, "GET", f"{base}/manifests/{tag}"))
    config = json.loads(ask(port, "GET", f"{base}/blobs/{manifest['config']['digest']}"))
    own = config["architecture"]
    other = OTHER[own]
    blob = packed({**config, "architecture": other})
    upload(port, base, blob)
    twin = {**manifest, "config": {**manifest["config"], **described(blob)}}
    entries = []
    for architecture, content in ((own, packed(manifest)), (other, packed(twin))):
        entry = described(content)
        ask(port, "PUT", f"{base}/manifests/{entry['digest']}", content, MANIFEST)
        platform = {"architecture": architecture, "os": "linux"}
        entries.append({"mediaType": MANIFEST, **entry, "platform": platform})
    index = packed({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    ask(port, "PUT", f"{base}/manifests/{tag}", index, INDEX)


def packed(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def described(content: bytes) -> dict[str, Any]:
    return {"digest": f"sha256:{hashlib.sha256(content).hexdigest()}", "size": len(content)}


def upload(port: int, base: str, blob: bytes) -> None:
    """In one piece (OCI distribution specification, "Pushing a blob monolithically")."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", f"{base}/blobs/uploads/")
    place = connection.getresponse().getheader("Location", "")
    connection.close()
    path = place.removeprefix(f"http://127.0.0.1:{port}")
    ask(port, "PUT", f"{path}&digest={described(blob)['digest']}", blob, OCTETS)


def ask(port: int, method: str, path: str, body: bytes = b"", kind: str = "") -> bytes:
    headers = {"Content-Type": kind} if kind else {"Accept": MANIFEST}
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        said = answer.read()
    finally:
        connection.close()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {said.decode(errors='replace')}")
    return said
