"""kubepi/decide/room.py: what stays free of a card and of a large disk."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.decide.room import GB, MIB, evicts_below, kept_free, kubelet_room


@pytest.mark.parametrize(
    ("gigabytes", "kept", "high", "low", "evicted"),
    [
        (8, 1.6, 80, 70, "762Mi"),
        (16, 3.2, 80, 70, "1525Mi"),
        (32, 6.4, 80, 70, "3051Mi"),
        (64, 10, 84, 76, "4768Mi"),
        (256, 10, 96, 94, "4768Mi"),
        (4000, 10, 99, 98, "4768Mi"),
    ],
)
def test_the_thresholds_by_size(
    gigabytes: int, kept: float, high: int, low: int, evicted: str
) -> None:
    size = gigabytes * GB
    assert kept_free(size) == kept * GB
    document = json.loads(kubelet_room(size, size, {}))
    assert document["imageGCHighThresholdPercent"] == high
    assert document["imageGCLowThresholdPercent"] == low
    assert document["evictionHard"]["imagefs.available"] == evicted


def test_two_disks_have_a_threshold_each() -> None:
    evictions = json.loads(kubelet_room(256 * GB, 16 * GB, {}))["evictionHard"]
    assert (evictions["imagefs.available"], evictions["nodefs.available"]) == ("4768Mi", "1525Mi")


@given(st.integers(GB, 20_000 * GB))
def test_images_go_before_pods_do_and_kubelet_takes_the_numbers(size: int) -> None:
    """kubelet refuses a low threshold that is not below the high one."""
    document = json.loads(kubelet_room(size, size, {}))
    high, low = (document[f"imageGC{word}ThresholdPercent"] for word in ("High", "Low"))
    assert 0 < low < high <= 99
    evicted = int(document["evictionHard"]["imagefs.available"].removesuffix("Mi")) * MIB
    assert 0 < evicted <= evicts_below(size) < size * (100 - high) / 100


@pytest.mark.parametrize("choice", [{"imageGCLowThresholdPercent": 60}, {"evictionHard": {}}])
def test_what_the_user_chose_is_left_to_kubelets_own_file(choice: dict[str, object]) -> None:
    """A share of 75 with our lower one of 94 would keep kubelet from starting."""
    all_keys = json.loads(kubelet_room(256 * GB, 256 * GB, {"maxPods": 50})).keys()
    left = json.loads(kubelet_room(256 * GB, 256 * GB, choice)).keys()
    images = {"imageGCHighThresholdPercent", "imageGCLowThresholdPercent"}
    assert all_keys - left == ({"evictionHard"} if "evictionHard" in choice else images)
    assert "maxPods" not in all_keys
