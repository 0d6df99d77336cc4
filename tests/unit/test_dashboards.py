"""The dashboards of the add-on monitoring: whole, and showing only what is measured."""

import json
import re
from typing import Any

import pytest
import yaml

from tests.addon_policy import rendered

OBJECTS = rendered("monitoring")
CONFIGS = {
    item["metadata"]["name"]: item["data"] for item in OBJECTS if item["kind"] == "ConfigMap"
}
BOARDS = {
    file: json.loads(text)
    for name, data in CONFIGS.items()
    if name.startswith("dashboard-")
    for file, text in data.items()
}
SCRAPE = yaml.safe_load(CONFIGS["victoriametrics"]["scrape.yaml"])
JOBS = {job["job_name"]: job for job in SCRAPE["scrape_configs"]}
# whose measurements begin how
SOURCES = {
    "node": ["node-exporter"],
    "kube": ["kube-state-metrics"],
    "kubelet": ["kubelet"],
    "container": ["cadvisor", "resource"],
    "apiserver": ["apiserver"],
    "etcd": ["apiserver"],
    "coredns": ["coredns"],
    "vm": ["victoriametrics"],
}
METRIC = re.compile(rf"\b({'|'.join(SOURCES)})_[a-z0-9_]+")
# of /metrics/resource all is kept; what it has is in the Kubernetes documentation
RESOURCE = {"container_cpu_usage_seconds_total", "container_memory_working_set_bytes"}


def expressions(board: Any) -> list[str]:
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]


def kept(job: Any, metric: str) -> bool:
    """What metric_relabel_configs says of the name alone."""
    rules = [
        rule
        for rule in job.get("metric_relabel_configs", [])
        if rule.get("action") == "keep" and rule["source_labels"] == ["__name__"]
    ]
    return all(re.fullmatch(rule["regex"], metric) for rule in rules)


def test_there_are_two() -> None:
    assert {board["title"] for board in BOARDS.values()} == {"Raspberry Pis", "Cluster"}
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS)


@pytest.mark.parametrize("file", BOARDS)
def test_panels_are_whole_and_beside_each_other(file: str) -> None:
    panels = BOARDS[file]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "victoriametrics"
            assert panel["targets"]


@pytest.mark.parametrize("file", BOARDS)
def test_expressions_are_closed_and_ask_only_for_what_is_kept(file: str) -> None:
    for expr in expressions(BOARDS[file]):
        for pair in ("()", "{}", "[]"):
            assert expr.count(pair[0]) == expr.count(pair[1]), expr
        bare = re.sub(r'"[^"]*"', '""', expr)
        names = [match[0] for match in METRIC.finditer(re.sub(r"\{[^}]*\}", "", bare))]
        assert names or expr.startswith("count(up"), expr
        for name in names:
            jobs = SOURCES[name.split("_")[0]]
            in_resource = "resource" in jobs and name in RESOURCE
            assert in_resource or kept(JOBS[jobs[0]], name), name


def test_a_metric_that_is_dropped_is_seen() -> None:
    assert not kept(JOBS["kubelet"], "kubelet_http_requests_total")
    assert kept(JOBS["kubelet"], "kubelet_volume_stats_used_bytes")


def test_pods_are_looked_for_only_where_they_may_be() -> None:
    spaces = {
        space
        for job in JOBS.values()
        for search in job.get("kubernetes_sd_configs", [])
        if search["role"] == "pod"
        for space in search["namespaces"]["names"]
    }
    granted = {
        item["metadata"]["namespace"]
        for item in OBJECTS
        if item["kind"] == "RoleBinding" and item["roleRef"]["name"] == "monitoring:pod-finder"
    }
    assert spaces == granted


def test_the_histogram_keeps_its_ends_and_other_series() -> None:
    rule = JOBS["apiserver"]["metric_relabel_configs"][-1]
    name = "apiserver_request_duration_seconds_bucket"
    for labels, is_kept in [
        (f"{name};0.1", True),
        (f"{name};1", True),
        (f"{name};+Inf", True),
        (f"{name};0.6", False),
        ("apiserver_request_total;", True),
    ]:
        assert bool(re.fullmatch(rule["regex"], labels)) is is_kept, labels


def test_the_nodes_own_network_is_kept_and_slices_are_not() -> None:
    rule = next(
        rule
        for rule in JOBS["cadvisor"]["metric_relabel_configs"]
        if rule["source_labels"] == ["id", "pod"]
    )
    for labels, is_kept in [("/;", True), ("/kubepods/pod1;web", True), ("/system.slice;", False)]:
        assert bool(re.fullmatch(rule["regex"], labels)) is is_kept, labels
