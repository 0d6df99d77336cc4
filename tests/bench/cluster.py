"""What kubepi costs on a running cluster: a re-run, its own share of an init, the agent's memory.

    sudo python3 tests/bench/cluster.py     needs root and a kit, like the demo; takes two minutes
"""

import re
import statistics
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "lab"
sys.path.insert(0, str(FOLDER))

from pis import Pis  # noqa: E402 - the folder is in the path from here on

RUNS = 9
# A run inside the node, timed there: entering a node is not part of it.
TIMED = (
    "import subprocess,time;s=time.monotonic();"
    "subprocess.run(['kubepi','init'],check=True,capture_output=True);print(time.monotonic()-s)"
)


def main() -> int:
    subprocess.run([sys.executable, str(FOLDER / "demo"), "--keep"], check=True)
    pis = Pis()
    pis.refresh()
    try:
        report(pis)
    finally:
        pis.down()
    return 0


def report(pis: Pis) -> None:
    runs = re.findall(
        r"done in ([\d.]+) s, of which ([\d.]+) s", pis.ask("pi1", "cat", "/var/log/kubepi.log")
    )
    total, own = (float(word) for word in runs[0])
    print(f"\nkubepi init                 {total:6.1f} s")
    share = 100 * own / total
    print(f"  kubepi's own time         {own:6.2f} s = {share:.1f} %  (goal: under 10 %)")
    again = [float(pis.ask("pi1", "python3", "-c", TIMED)) for _ in range(RUNS)]
    print(
        f"init with nothing to change {statistics.median(again):6.2f} s  "
        f"(median of {RUNS}; goal: under 1 s)"
    )
    for node in pis.addresses:
        print(f"agent of {node}                {resident(pis, node):6.1f} MB (goal: under 30 MB)")


def resident(pis: Pis, node: str) -> float:
    """Resident memory in MB (10^6 bytes)."""
    shell = "cat /proc/$(systemctl show -p MainPID --value kubepi-agent)/status"
    found = re.search(r"VmRSS:\s+(\d+) kB", pis.ask(node, "sh", "-c", shell))
    assert found is not None
    return int(found[1]) * 1024 / 1e6


if __name__ == "__main__":
    sys.exit(main())
