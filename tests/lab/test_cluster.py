"""The main job on virtual Pis: what the demo shows, what a second run does, what is refused."""

import json
import re

import pytest
from pis import FILE, KIT, LEFT_OF_KUBERNETES, Pis, wait_for

pytestmark = pytest.mark.lab
WORKERS = ("pi2", "pi3")
ARCHIVE = "/root/help.tar.gz"


def test_the_demo_ends_with_three_ready_nodes_and_their_answers(demo: str, pis: Pis) -> None:
    assert pis.nodes_ready() == {"pi1", "pi2", "pi3"}
    answers = [line for line in demo.splitlines() if line.startswith("http://")]
    assert len(answers) == 3
    for line in answers:
        assert all(f"hello from {node}" in line for node in ("pi1", *WORKERS)), line


@pytest.mark.parametrize(("node", "verb"), [("pi1", "init"), ("pi2", "join")])
def test_a_second_run_changes_nothing_and_says_so(pis: Pis, node: str, verb: str) -> None:
    done = pis.run(node, "kubepi", verb)
    assert done.returncode == 0, done.stderr
    assert "nothing was changed" in done.stdout
    assert re.search(r"(\d+) steps: \1 ok, 0 changed, 0 failed", done.stderr), done.stderr


@pytest.mark.parametrize(("node", "verb"), [("pi1", "join"), ("pi2", "init")])
def test_a_change_of_role_is_refused_with_a_hint(pis: Pis, node: str, verb: str) -> None:
    done = pis.run(node, "kubepi", verb)
    assert done.returncode == 2
    assert "kubepi reset" in done.stderr


@pytest.mark.parametrize("node", ["pi1", "pi2"])
def test_status_shows_the_whole_cluster_from_any_node(pis: Pis, node: str) -> None:
    done = pis.run(node, "kubepi", "status", "--json")
    assert done.returncode == 0, done.stdout
    status = json.loads(done.stdout)
    assert status["drift"] == {}
    assert [row[:3] for row in status["cluster_nodes"]] == [
        ["pi1", "master", "Ready"], ["pi2", "worker", "Ready"], ["pi3", "worker", "Ready"],
    ]  # fmt: skip


def test_nodes_shows_every_pi_with_its_board(pis: Pis) -> None:
    seen = {p["advert"]["node"]: p for p in json.loads(pis.ask("pi1", "kubepi", "nodes", "--json"))}
    for name in WORKERS:
        assert seen[name]["trusted"]
        assert seen[name]["advert"]["state"] == "ready"
        assert "Raspberry Pi" in seen[name]["advert"]["board"]


def test_a_machine_without_the_token_sees_them_and_trusts_none(pis: Pis) -> None:
    done = pis.kubepi("pi4", "nodes", "--json")
    seen = {p["advert"]["node"]: p for p in json.loads(done.stdout)}
    assert {"pi1", *WORKERS} <= set(seen)
    assert not any(p["trusted"] for p in seen.values())


def test_doctor_finds_nothing_wrong(pis: Pis) -> None:
    for node in ("pi1", "pi2"):
        done = pis.run(node, "kubepi", "doctor")
        assert done.returncode == 0, done.stdout


def test_an_archive_for_help_is_of_all_nodes_and_holds_no_secret(pis: Pis) -> None:
    """Asked for on a worker; searched for all that the secret files of its nodes hold."""
    said = pis.ask("pi2", "kubepi", "doctor", "--bundle", ARCHIVE).splitlines()
    assert [line.partition(":")[0] for line in said[:3]] == ["pi1", *WORKERS]
    assert not any("missing" in line for line in said)
    assert pis.ask("pi2", "stat", "--format=%a", ARCHIVE).strip() == "600"
    texts = pis.ask("pi2", "tar", "--extract", "--to-stdout", f"--file={ARCHIVE}")
    for word in ("kube-apiserver", '"host_name": "pi3"', "kubeadm init", "kubepi-agent"):
        assert word in texts, word
    assert "PRIVATE KEY" not in texts
    for node in ("pi1", *WORKERS):
        kept = pis.ask(node, "sh", "-c", "cat /var/lib/kubepi/secrets/*")
        keys = pis.run(node, "sh", "-c", "cat /etc/kubernetes/*.conf /var/lib/kubelet/pki/*").stdout
        secrets = re.findall(r"\S{8,}", kept) + re.findall(r"-key-data: (\S+)", keys)
        for secret in (*secrets, *re.findall(r"(?m)^[\w+/=]{60,}$", keys)):
            assert secret not in texts, f"of {node}: {secret[:4]}…"


def test_a_laptop_gets_a_kubeconfig_that_works(pis: Pis) -> None:
    pis.write("pi2", "/root/laptop.yaml", pis.ask("pi1", "kubepi", "kubeconfig"))
    # pi2 stands for a laptop that does not know the API's name
    text = pis.ask("pi2", "cat", "/root/laptop.yaml")
    assert f"server: https://{pis.addresses['pi1']}:6443" in text
    assert "tls-server-name: home.kubepi.internal" in text
    done = pis.run("pi2", "kubectl", "--kubeconfig", "/root/laptop.yaml", "get", "nodes")
    assert done.returncode == 0, done.stderr


def test_the_certificate_holds_host_name_and_local(pis: Pis) -> None:
    program = (
        "import ssl,sys;c=ssl.create_default_context(cafile='/etc/kubernetes/pki/ca.crt');"
        "import socket;s=socket.create_connection(('127.0.0.1',6443));"
        "c.wrap_socket(s,server_hostname=sys.argv[1])"
    )
    for name in ("pi1", "pi1.local", "home.kubepi.internal"):
        done = pis.run("pi1", "python3", "-c", program, name)
        assert done.returncode == 0, f"{name}: {done.stderr}"


def test_nothing_depends_on_the_legacy_iptables_tables(pis: Pis) -> None:
    """The kernels of newer Pis have none of them."""
    for node in ("pi1", *WORKERS):
        assert pis.run(node, "cat", "/proc/net/ip_tables_names").stdout == ""


def test_the_agent_comes_back_and_tells_the_journal(pis: Pis) -> None:
    main_pid = ("systemctl", "show", "-p", "MainPID", "--value", "kubepi-agent")
    before = pis.ask("pi3", *main_pid).strip()
    pis.ask("pi3", "kill", "-9", before)

    def told() -> bool | None:
        journal = pis.ask("pi3", "journalctl", "-u", "kubepi-agent", "--no-pager", "-o", "cat")
        return True if journal.count("agent: starts as pi3") == 2 else None

    wait_for("the agent of pi3 to come back and say so", told, 60)
    assert pis.ask("pi3", *main_pid).strip() not in ("0", before)


def test_a_dry_run_of_join_says_what_would_change_and_changes_nothing(pis: Pis) -> None:
    pis.write("pi4", "/root/token", pis.token())
    before = tree(pis, "pi4")
    done = pis.kubepi("pi4", "join", "--dry-run", "--token-file", "/root/token", "--kit", KIT)
    assert done.returncode == 0, done.stderr
    assert "would change" in done.stderr
    assert tree(pis, "pi4") == before


def tree(pis: Pis, node: str) -> str:
    """Every file of a node with size, mode and time; its log and what runs left out."""
    return pis.ask(
        node, "sh", "-c",
        "find / -xdev \\( -path /run -o -path /tmp -o -path /var/log -o -path /proc "
        "-o -path /var/cache/kubepi -o -path /root/token -o -path /var/lib/systemd \\) -prune "
        "-o -type f -printf '%p %s %m %T@\\n' | sort",
    )  # fmt: skip


OTHER_TOKEN = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk"


@pytest.mark.parametrize(
    ("token", "config", "words"),
    [
        (OTHER_TOKEN, "", ("not that of any master", "pi1", "kubepi token show")),
        ("not a token", "", ("token",)),
        (None, "", ("needs the cluster's token", "--token-file")),
        ("right", "cluster: {name: attic}", ("'home', not 'attic'", "cluster.name")),
    ],
    ids=["wrong", "mistyped", "none", "another cluster"],
)  # fmt: skip
def test_a_wrong_join_changes_nothing_and_says_why(
    pis: Pis, token: str | None, config: str, words: tuple[str, ...]
) -> None:
    node = "pi4"
    lab_config = pis.ask(node, "cat", "/etc/kubepi/kubepi.yaml")
    if config:
        pis.write(node, "/etc/kubepi/kubepi.yaml", f"{lab_config}\n{config}\n")
    before = tree(pis, node)
    options = []
    if token is not None:
        pis.write(node, "/root/token", pis.token() if token == "right" else token)
        options = ["--token-file", "/root/token"]
    done = pis.kubepi(node, "join", "--wait", "8", "--kit", KIT, *options)
    after = tree(pis, node)
    pis.write(node, "/etc/kubepi/kubepi.yaml", lab_config)
    assert done.returncode in (1, 2), done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert after == before
    assert pis.run(node, "test", "-e", "/var/lib/kubepi").returncode == 1


def test_without_multicast_the_master_is_named(pis: Pis) -> None:
    """Multicast is dropped on pi4; --master asks directly, there and back."""
    pis.write("pi4", "/root/token", pis.token())
    drop = ("-d", "224.0.0.0/4", "-j", "DROP")
    for chain in ("INPUT", "OUTPUT"):
        pis.ask("pi4", "iptables", "-I", chain, *drop)
    try:
        blocked = pis.kubepi("pi4", "join", "--wait", "5", "--token-file", "/root/token")
        assert blocked.returncode == 1
        assert "--master ADDRESS" in blocked.stderr
        done = pis.kubepi(
            "pi4", "join", "--token-file", "/root/token", "--kit", KIT,
            "--master", pis.addresses["pi1"],
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "pi4" in pis.nodes_ready()
    finally:
        for chain in ("INPUT", "OUTPUT"):
            pis.ask("pi4", "iptables", "-D", chain, *drop)


def test_reset_of_a_worker_leaves_nothing_and_it_can_join_again(pis: Pis) -> None:
    """pi4 joined in the test before; its twin pi5 never was anything."""
    done = pis.run("pi4", "python3", "-I", FILE, "reset", "--yes")
    assert done.returncode == 0, done.stderr
    assert "pi4" not in pis.ask("pi1", "kubectl", "get", "nodes", "-o", "name")
    assert left_of_kubernetes(pis, "pi4") == ""
    packages = "dpkg-query -W -f '${Package} ${db:Status-Status}\\n' | sort"
    assert pis.ask("pi4", "sh", "-c", packages) == pis.ask("pi5", "sh", "-c", packages)
    mine, twin = (
        {line.split(" ")[0] for line in tree(pis, node).splitlines()} for node in ("pi4", "pi5")
    )
    assert known_differences(mine ^ twin) == set()
    done = pis.kubepi("pi4", "join", "--token-file", "/root/token", "--kit", KIT)
    assert done.returncode == 0, done.stderr
    pis.wait_ready(("pi1", *WORKERS, "pi4"))
    done = pis.run("pi4", "kubepi", "reset", "--yes")
    assert done.returncode == 0, done.stderr


def known_differences(paths: set[str]) -> set[str]:
    """Less what apt itself keeps: its lists, its cache and dpkg's book-keeping."""
    apts = ("/var/lib/apt/", "/var/cache/", "/var/lib/dpkg/", "/root/", "/etc/ld.so.cache")
    return {path for path in paths if not path.startswith(apts)}


def left_of_kubernetes(pis: Pis, node: str) -> str:
    """Containers, mounts, interfaces, chains and services that a reset should have ended."""
    return pis.ask(node, "sh", "-c", LEFT_OF_KUBERNETES).strip()


@pytest.mark.parametrize("node", ["pi2", "pi1"])
def test_after_a_reboot_the_cluster_is_whole_again(pis: Pis, node: str) -> None:
    started = pis.ask(node, "systemctl", "show", "-p", "UserspaceTimestampMonotonic")
    pis.lab("reboot", node)
    assert pis.ask(node, "systemctl", "show", "-p", "UserspaceTimestampMonotonic") != started
    pis.wait_ready(("pi1", *WORKERS))
    assert pis.web_answers(node, of=("pi1", *WORKERS))
