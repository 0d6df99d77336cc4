"""Gives certificates of a node other dates; runs in it, and needs openssl 3.4 or newer (trixie).

`resign.py BEGINS ENDS CA FILE …`: days from now, the path of an authority without its ending, and
certificates: NAME.crt with its NAME.key, a kubeconfig, or a kubelet's .pem. Key, subject and
extensions stay, so that only the dates are others.
"""

import base64
import re
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path


def signed_anew(certificate: str, key: str, authority: str, days: tuple[str, str]) -> str:
    now = datetime.now(timezone.utc)  # noqa: UP017 - any Python may run this
    begins, ends = ((now + timedelta(float(d))).strftime("%Y%m%d%H%M%SZ") for d in days)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "old").write_text(certificate)
        (folder / "key").write_text(key)
        copy = ("-copy_extensions", "copyall")
        openssl("x509", "-x509toreq", *copy, "-in", "old", "-key", "key", "-out", "request",
                where=folder)  # fmt: skip
        openssl("x509", "-req", *copy, "-in", "request", "-CA", f"{authority}.crt",
                "-CAkey", f"{authority}.key", "-not_before", begins, "-not_after", ends,
                "-out", "new", where=folder)  # fmt: skip
        return (folder / "new").read_text()


def openssl(*words: str, where: Path) -> None:
    subprocess.run(["openssl", *words], cwd=where, check=True, stderr=subprocess.PIPE)


def resign(path: Path, authority: str, days: tuple[str, str]) -> None:
    text = path.read_text()
    if path.suffix == ".crt":
        key = path.with_suffix(".key").read_text()
        path.write_text(signed_anew(text, key, authority, days))
    elif path.suffix == ".pem":
        key = text[text.index("-----BEGIN EC PRIVATE KEY") :]
        path.write_text(signed_anew(text, key, authority, days) + key)
    else:
        certificate, key = (
            base64.b64decode(re.findall(f"client-{what}-data: (\\S+)", text)[0]).decode()
            for what in ("certificate", "key")
        )
        new = base64.b64encode(signed_anew(certificate, key, authority, days).encode()).decode()
        path.write_text(
            re.sub("(client-certificate-data: ).*", lambda found: found[1] + new, text)
        )


if __name__ == "__main__":
    for file in sys.argv[4:]:
        resign(Path(file), sys.argv[3], (sys.argv[1], sys.argv[2]))
