"""The cluster's token: made, read as typed, and everything that is derived from it; pure.

A token is 27 random characters (135 bits) and 3 check characters, in six groups of five. All
secrets of a cluster are HMAC-SHA256 of a label with the token as key: none leads to another or
back to the token. A label is never changed, since running clusters live by it.
"""

import hashlib
import hmac

from kubepi.errors import UsageError

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base32: no i, l, o, u
BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
RANDOM_BYTES = 17
RANDOM_CHARACTERS = 27
LENGTH = 30
GROUP = 5
LOOKALIKES = str.maketrans("oil", "011")
# dashes, also what word processors make of them, and what editors leave unseen in a file
SKIPPED = "-_\u2010\u2011\u2012\u2013\u2014\u2212\u200b\ufeff"
HINT = "print it on the master with: sudo kubepi token show"


def new_token(randomness: bytes) -> str:
    """A token from 17 random bytes or more; what is beyond 135 bits is left."""
    if len(randomness) < RANDOM_BYTES:
        raise ValueError(f"a token needs {RANDOM_BYTES} random bytes, got {len(randomness)}")
    body = _digits(int.from_bytes(randomness, "big"), ALPHABET, RANDOM_CHARACTERS)
    return _grouped(body + _check_characters(body))


def normalise_token(text: str) -> str:
    """The token as kubepi writes it, from what a person typed or pasted.

    Raises:
        UsageError: it cannot be a token; the sentence does not hold it.
    """
    letters = "".join(c for c in text.lower() if c not in SKIPPED and not c.isspace())
    letters = letters.translate(LOOKALIKES)
    strange = [place for place, c in enumerate(letters, 1) if c not in ALPHABET]
    if strange:
        raise UsageError(
            f"the token has a character that no token has, at place {strange[0]} "
            "(not counting dashes)",
            f"a token has digits and the letters a to z without u; {HINT}",
        )
    if len(letters) != LENGTH:
        short = "short" if len(letters) < LENGTH else "long"
        raise UsageError(
            f"the token is too {short}: {len(letters)} characters where {LENGTH} belong "
            "(not counting dashes)",
            HINT,
        )
    if _check_characters(letters[:RANDOM_CHARACTERS]) != letters[RANDOM_CHARACTERS:]:
        raise UsageError("the token is mistyped: its last characters do not fit the others", HINT)
    return _grouped(letters)


def advert_key(token: str) -> bytes:
    """Signs adverts; 32 bytes."""
    return _derive(token, "advert key")


def bootstrap_token(token: str) -> str:
    """What kubeadm join shows to the API: its id, a dot, its secret."""
    identifier = int.from_bytes(_derive(token, "bootstrap token id"), "big")
    secret = int.from_bytes(_derive(token, "bootstrap token secret"), "big")
    # 256 bits for at most 83: the remainder favours no value by more than 2^-173
    return f"{_digits(identifier, BASE36, 6)}.{_digits(secret, BASE36, 16)}"


def certificate_key(token: str) -> str:
    """Encrypts the certificates that a further master gets: an AES-256 key in hex, for kubeadm."""
    return _derive(token, "certificate key").hex()


def depot_key(token: str) -> bytes:
    """Opens and answers requests for data between nodes; 32 bytes."""
    return _derive(token, "depot key")


def cluster_id(token: str) -> str:
    """Tells clusters on one LAN apart; no secret."""
    return _derive(token, "cluster id").hex()[:8]


def _derive(token: str, label: str) -> bytes:
    # without the dashes, so that the grouping may change
    key = token.strip().replace("-", "").encode()
    return hmac.digest(key, f"kubepi {label} 1".encode(), "sha256")


def _digits(number: int, alphabet: str, length: int) -> str:
    """The last `length` digits of `number`."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(alphabet))
        digits.append(alphabet[digit])
    return "".join(reversed(digits))


def _check_characters(body: str) -> str:
    digest = hashlib.sha256(f"kubepi token {body}".encode()).digest()
    return _digits(int.from_bytes(digest, "big"), ALPHABET, LENGTH - RANDOM_CHARACTERS)


def _grouped(letters: str) -> str:
    return "-".join(letters[start : start + GROUP] for start in range(0, LENGTH, GROUP))
