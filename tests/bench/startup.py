"""Prints how long kubepi.pyz takes to start, against a Python that does nothing.

    python3 tests/bench/startup.py [PYTHON ...]

Both sides run with -I, as systemd starts kubepi; the runs alternate, so that a busy moment of the
machine touches all of them. The goal is that --version and --help take at most 2.5 times as long.
A .pth file in site-packages slows both sides and flatters the ratio: trust the system's Python.
"""

import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

ROOT = Path(__file__).parents[2]
RUNS = 15
GOAL = 2.5


def milliseconds(argv: list[str]) -> float:
    start = perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
    return (perf_counter() - start) * 1000


def measure(python: str, pyz: Path) -> None:
    cases = {
        "-c pass": [python, "-I", "-c", "pass"],
        "--version": [python, "-I", str(pyz), "--version"],
        "--help": [python, "-I", str(pyz), "--help"],
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(RUNS):
        for name, argv in cases.items():
            times[name].append(milliseconds(argv))
    base = median(times["-c pass"])
    print(f"{python}: medians of {RUNS} runs, all with -I")
    for name, values in times.items():
        ratio = median(values) / base
        verdict = "" if ratio <= GOAL else f", more than the goal of {GOAL}"
        print(f"  {name:10} {median(values):6.1f} ms  {ratio:4.2f}{verdict}")


def main() -> None:
    with TemporaryDirectory() as folder:
        pyz = Path(folder) / "kubepi.pyz"
        build = [sys.executable, str(ROOT / "build_zipapp.py"), "-o", str(pyz)]
        subprocess.run(build, stdout=subprocess.DEVNULL, check=True)
        for python in sys.argv[1:] or [sys.executable]:
            measure(python, pyz)


if __name__ == "__main__":
    main()
