"""Text of files that are not kubepi's: what a step does not mean to change stays byte for byte.

May touch: the file named. Tests: with the steps that use it.
"""

from kubepi.machine.host import Host


def read_text(host: Host, path: str) -> str | None:
    """Bytes that are no UTF-8 survive the way through write_text()."""
    content = host.read_bytes(path)
    return None if content is None else content.decode(errors="surrogateescape")


def write_text(host: Host, path: str, text: str) -> None:
    mode = host.mode(path)
    host.write(path, text.encode(errors="surrogateescape"), 0o644 if mode is None else mode)
