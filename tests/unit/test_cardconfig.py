"""kubepi/decide/cardconfig.py: what is written to a card is read there as it was meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.decide.cardconfig import card_text, own_settings, shared_text, wifi_key
from kubepi.decide.config import Config, Layer, merge
from kubepi.errors import ConfigError
from kubepi.resources import read_text

DEFAULTS = read_text("defaults.yaml")
TOKEN = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMhnzGtvZ2rGm0FVxFBJ4nWq8y5C7Zc8cmUfDcKZc1zD ann@laptop"
FLAGS = {
    "cluster.token": TOKEN,
    "cluster.expect": 5,
    "node.name": "pi-attic",
    "wifi.country": "NO",
    "wifi.ssid": 'The "attic": #1',
    "wifi.psk": "0123456789abcdef" * 4,
    "first_boot.user": "ann",
    "first_boot.ssh_keys": [KEY],
    "first_boot.timezone": "Europe/Oslo",
}


def of(text: str = "", **flags: object) -> Config:
    given = {name.replace("__", "."): ("--flag", value) for name, value in flags.items()}
    return merge(DEFAULTS, [Layer("kubepi.yaml", text)], given, ())


def chosen() -> Config:
    return merge(DEFAULTS, [], {name: ("--flag", value) for name, value in FLAGS.items()}, ())


def test_what_is_on_the_card_is_what_was_given() -> None:
    own = own_settings(chosen())
    assert own == FLAGS
    assert own_settings(of(card_text(own))) == FLAGS


def test_the_next_cards_share_all_but_the_name() -> None:
    shared = own_settings(of(shared_text(own_settings(chosen()))))
    assert shared == {name: value for name, value in FLAGS.items() if name != "node.name"}


def test_secrets_are_in_no_setting_and_in_no_repr() -> None:
    config = chosen()
    assert not {"cluster.token", "wifi.psk"} & set(config.settings)
    assert TOKEN not in repr(config) and "0123456789abcdef" not in repr(config)


names = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Cf", "Cn", "Co"]), min_size=1,
    max_size=8,
)  # fmt: skip


@given(names.filter(str.isprintable))
def test_any_name_of_a_wifi_is_kept_letter_by_letter(name: str) -> None:
    text = card_text({"wifi.country": "DE", "wifi.ssid": name})
    assert of(text).settings["wifi.ssid"] == name


def test_the_key_is_what_wpa_passphrase_makes_of_a_password() -> None:
    """The example of IEEE 802.11i, annex H.4."""
    expected = "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"
    assert wifi_key("IEEE", "password") == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("wifi:\n  ssid: Attic\n", "wifi.ssid: needs wifi.country"),
        ("first_boot:\n  user: ann\n", "first_boot.user: needs first_boot.ssh_keys"),
        (f'first_boot:\n  ssh_keys: ["{KEY}"]\n', "first_boot.ssh_keys: needs first_boot.user"),
        ("first_boot:\n  user: root\n", "'root' is not a name that a new user can have"),
        ("first_boot:\n  user: Ann\n", "write it like ann"),
        ("first_boot:\n  ssh_keys: [hello]\n", "'hello' is not a public SSH key"),
        ("first_boot:\n  ssh_keys: [BEGIN OPENSSH PRIVATE KEY]\n", "holds a private key"),
        ("first_boot:\n  timezone: ../../etc/passwd\n", "is not a time zone"),
        (f"wifi:\n  country: DE\n  ssid: {33 * 'x'}\n", "32 bytes at most"),
    ],
)
def test_what_cannot_be_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of(text)
    assert said in caught.value.sentence


def test_a_password_in_the_place_of_the_key_is_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        of("wifi:\n  psk: swordfish-swordfish\n")
    assert "64 hexadecimal digits" in caught.value.sentence
    assert "swordfish" not in caught.value.sentence
