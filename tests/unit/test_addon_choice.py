"""kubepi/decide/addons.py, addon_choice.py: what may be written, what is wanted, and what stays."""

from dataclasses import replace
from typing import Any

import pytest

from kubepi.decide.addon_choice import (
    Typed,
    chosen,
    drops_data,
    installing,
    removing,
    typed_before,
    wanted_addons,
    with_typed,
)
from kubepi.decide.addons import (
    Addon,
    Setting,
    all_images,
    in_order,
    problems,
    those_that_need,
    typed,
    values_of,
)
from kubepi.decide.goal import Goal
from tests.scene import init_goal, settings

# with a share, what makes its volumes is there too
NO_SHARE = init_goal(storage__nfs__server="none")
OPTIONS = {"host": Setting("x.${cluster_name}.local", "a name"), "count": Setting(2, "how many"),
           "open": Setting(False, "for all")}  # fmt: skip
CATALOGUE = {
    "flannel": Addon("flannel", "net", "1", images=("f:1",), always=True),
    "disk": Addon("disk", "disks", "1", images=("busybox:1", "disk:1")),
    "meter": Addon("meter", "meters", "v1.2+3", images=("meter:1",)),
    "web": Addon("web", "a page", "1", images=("busybox:1",), needs=("disk", "meter"),
                 settings=OPTIONS),
    "shop": Addon("shop", "a shop", "1", needs=("web",)),
}  # fmt: skip


def config(*names: str, **given: dict[str, Any]) -> dict[str, Any]:
    return {"addons.install": list(names), "addons.settings": given}


def of(*names: str, **given: dict[str, Any]) -> list[str]:
    found = problems(config(*names, **given), CATALOGUE)
    return [f"{name}: {sentence}" for name, sentence in found]


def test_what_is_needed_comes_first_and_once() -> None:
    assert in_order(["shop", "meter"], CATALOGUE) == ["disk", "meter", "web", "shop"]
    assert in_order(["meter", "web"], CATALOGUE) == ["meter", "disk", "web"]
    assert in_order(["gone"], CATALOGUE) == ["gone"]
    assert those_that_need("disk", ["web", "shop", "meter"], CATALOGUE) == ["web", "shop"]


def test_images_of_all_of_them_once() -> None:
    assert all_images(["disk", "web", "flannel"], CATALOGUE) == ["busybox:1", "disk:1", "f:1"]


def test_a_version_becomes_a_label() -> None:
    assert CATALOGUE["meter"].label == "v1.2-3"
    assert Addon("x", "", "_" * 3 + "1." + "x" * 80).label == "1." + "x" * 58


# --- what may be written ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (of("web", "disk", web={"host": "a.lan"}), None),
        (of("metre"), "addons.install: 'metre' is no add-on; did you mean meter?"),
        (of("zzz"), "addons.install: 'zzz' is no add-on; there are disk, meter, web, shop"),
        (of("flannel"), "addons.install: flannel is always there; it cannot be chosen"),
        (of(metre={}), "addons.settings: 'metre' is no add-on; did you mean meter?"),
        (of(web={"hots": 1}), "addons.settings: web.hots: unknown setting; did you mean host?"),
        (of(web={"zz": 1}),
         "addons.settings: web.zz: unknown setting; it has host, count, open"),
        (of(disk={"zz": 1}), "addons.settings: disk.zz: unknown setting; disk has none"),
        (of(web={"count": "many"}),
         "addons.settings: web.count: 'many' is not a whole number; write it like 5"),
        (of(web={"open": "ja"}), "addons.settings: web.open: 'ja' is neither true nor false"),
        (of(web={"host": True}),
         'addons.settings: web.host: true is text here; put it in quotes: "true"'),
        (of(web={"host": 'a"b'}),
         "addons.settings: web.host: quotes and backslashes cannot be in it"),
        (of(web={"host": {"a": 1}}), "addons.settings: web.host: one plain value belongs here"),
        (of(web={"host": "a\nb"}), "addons.settings: web.host: one plain value belongs here"),
        (of(web={"host": None}), "addons.settings: web.host: one plain value belongs here"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_a_sentence(found: list[str], sentence: str | None) -> None:
    assert found == ([] if sentence is None else [sentence])


def test_settings_of_an_add_on_that_are_none() -> None:
    wrong = list(problems({"addons.install": [], "addons.settings": {"web": 3}}, CATALOGUE))
    assert wrong == [
        ("addons.settings", "web: settings belong here, like {web: {setting: value}}")
    ]


def test_a_value_has_the_type_of_its_default() -> None:
    assert typed(OPTIONS["count"], "7") == typed(OPTIONS["count"], 7) == 7
    assert typed(OPTIONS["host"], 7) == "7"
    assert typed(OPTIONS["open"], "True") is typed(OPTIONS["open"], True) is True


def test_defaults_may_speak_of_the_cluster() -> None:
    given = {"web": {"count": 3, "open": True}}
    goal = settings(
        storage__nfs__server="none", cluster__name="attic", addons__settings=given
    )
    values = values_of(CATALOGUE["web"], goal)
    assert {key: values[key] for key in OPTIONS} == {
        "host": "x.attic.local", "count": "3", "open": "true",
    }  # fmt: skip
    assert values["storage_class"] == "kubepi-local"


# --- what is wanted -----------------------------------------------------------------------


def goal_of(before: Goal, typed: Typed, *names: str, **given: dict[str, Any]) -> Goal:
    """As a command saves it, and as a later one reads it."""
    goal = with_typed(before, config(*names, **given), typed, CATALOGUE)
    return Goal.from_json(goal.to_json())


def test_what_was_typed_stays_beside_a_file_that_names_others() -> None:
    typed = installing(Typed(), "web", {"count": 3}, CATALOGUE)
    goal = goal_of(NO_SHARE, typed, "meter", meter={})
    assert wanted_addons(goal) == ["meter", "disk", "web"]
    assert typed_before(goal) == typed
    install, given = chosen(config("shop", web={"host": "h"}), typed_before(goal), CATALOGUE)
    assert install == ["disk", "meter", "web", "shop"]
    assert given == {"web": {"host": "h", "count": 3}}
    assert replace(goal, flagged=()).flagged == ()


def test_other_marks_of_a_goal_stay() -> None:
    before = replace(NO_SHARE, flagged=("--ignore", "node.name"))
    goal = goal_of(before, installing(Typed(), "meter", {}, CATALOGUE))
    assert goal.flagged == ("--ignore", "addon meter", "node.name")
    gone = goal_of(goal, removing(typed_before(goal), "meter", True, is_named=False))
    assert gone.flagged == before.flagged
    assert gone == goal_of(before, Typed())


def test_a_removal_takes_no_more_than_it_names() -> None:
    goal = goal_of(NO_SHARE, installing(Typed(), "web", {"count": 3}, CATALOGUE))
    goal = goal_of(goal, removing(typed_before(goal), "web", keeps_data=False, is_named=False))
    assert wanted_addons(goal) == ["disk", "meter"]
    assert goal.settings["addons.settings"] == {}
    assert drops_data(goal, "web")
    assert not drops_data(goal, "disk")
    again = goal_of(goal, installing(typed_before(goal), "web", {}, CATALOGUE))
    assert not drops_data(again, "web")


def test_a_default_that_was_removed_stays_away_until_it_is_installed() -> None:
    goal = goal_of(NO_SHARE, removing(Typed(), "meter", True, is_named=True), "meter", "disk")
    assert wanted_addons(goal) == ["disk"]
    assert chosen(config("meter", "disk"), typed_before(goal), CATALOGUE)[0] == ["disk"]
    goal = goal_of(goal, installing(typed_before(goal), "meter", {}, CATALOGUE), "meter", "disk")
    assert wanted_addons(goal) == ["meter", "disk"]


def test_an_older_kubepi_knew_of_no_add_ons_or_of_more() -> None:
    old = Goal("init", {"cluster.name": "home"})
    assert wanted_addons(old) == []
    assert typed_before(old) == Typed()
    assert chosen(config(gone={"a": 1}), Typed(installed=("gone",)), CATALOGUE) == ([], {})


def test_what_makes_the_volumes_comes_with_the_share() -> None:
    assert wanted_addons(init_goal()) == ["local-path-provisioner"]
    assert wanted_addons(init_goal(addons__install=["hello"]))[0] == "local-path-provisioner"
    assert wanted_addons(NO_SHARE) == []
