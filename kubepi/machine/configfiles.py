"""The configuration of this Pi: kubepi.yaml of the boot partition and of /etc, then the flags.

Looks only. Tests: tests/unit/test_config.py.
"""

import stat
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from kubepi.addons import read_catalogue
from kubepi.decide.config import Config, Layer, merge
from kubepi.decide.preflight import CHECKS
from kubepi.decide.settings import SECRETS
from kubepi.errors import ConfigError
from kubepi.machine.host import Host
from kubepi.resources import read_text

BOOT_FILES = ("/boot/firmware/kubepi.yaml", "/boot/kubepi.yaml")
OWN_FILE = "/etc/kubepi/kubepi.yaml"
MISTAKEN_ENDINGS = (".yml", ".yaml.txt")


def load(
    host: Host, flags: Mapping[str, tuple[str, Any]], check_names: Collection[str] = tuple(CHECKS)
) -> Config:
    """The merged configuration; from here on its secrets cannot get into the log either.

    Raises:
        ConfigError: a file cannot be read, or something is wrong in the configuration.
    """
    boot = next((layer for name in BOOT_FILES if (layer := _layer(host, name))), None)
    own = _layer(host, OWN_FILE)
    layers = [layer for layer in (boot, own) if layer is not None]
    # its descriptions are YAML too, and most runs need none of them
    names_addons = any("addons" in layer.text for layer in layers)
    catalogue = read_catalogue() if names_addons else None
    config = merge(read_text("defaults.yaml"), layers, flags, check_names, catalogue)
    for value in config.secrets.values():
        host.log.hide(value)
    return replace(config, warnings=tuple(_warnings(host, config)))


def _layer(host: Host, name: str) -> Layer | None:
    try:
        text = host.read(name)
    except PermissionError as error:
        raise ConfigError(f"only root can read {name}", "run the same command with sudo") from error
    except OSError as error:
        raise ConfigError(
            f"cannot read {name}: {error.strerror}", "check the card or disk with: dmesg | tail"
        ) from error
    return None if text is None else Layer(name, text)


def _warnings(host: Host, config: Config) -> list[str]:
    found = [
        f"{wrong} is not read; rename it to {name.rpartition('/')[2]}"
        for name in (*BOOT_FILES, OWN_FILE)
        for ending in MISTAKEN_ENDINGS
        if host.exists(wrong := name.removesuffix(".yaml") + ending)
    ]
    # a FAT boot partition has no modes
    if any(config.sources.get(name, "").startswith(OWN_FILE) for name in SECRETS):
        mode = stat.S_IMODE(host.path(OWN_FILE).stat().st_mode)
        if mode & (stat.S_IRGRP | stat.S_IROTH):
            found.append(
                f"{OWN_FILE} holds a secret and is open to others (mode {mode:04o}); "
                f"run: sudo chmod 600 {OWN_FILE}"
            )
    return found
