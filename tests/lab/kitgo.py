"""Programs from published Go modules: each part is a small main module that requires them."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from kitparts import KUBERNETES_LIBRARIES, Part
from kitrecipe import SOURCES
from labrun import LabError, run


class NotReady(LabError):
    """Something must be there before a kit can be built; the cure says how it gets there."""

    def __init__(self, sentence: str, cure: str) -> None:
        super().__init__(f"{sentence}\nhint: {cure}")
        self.sentence = sentence
        self.cure = cure


GO_MOD = SOURCES / "go.mod"
# where go.dev's archive puts it, which sudo's PATH leaves out
USUAL_PLACE = "/usr/local/go/bin/go"


def find_go() -> str:
    """The go program; raises NotReady if it is missing, or too old and cannot renew itself."""
    needed = re.findall(r"^go (.*)", GO_MOD.read_text(), re.MULTILINE)[0]
    cure = f"unpack Go {needed} or newer from https://go.dev/dl to /usr/local/go"
    go = shutil.which("go") or shutil.which(USUAL_PLACE)
    if go is None:
        raise NotReady("there is no Go to build a kit from source", cure)
    # asked where the go.mod is: from 1.21 on, Go may fetch the version that it names
    asked = run(["env", f"--chdir={SOURCES}", go, "env", "GOVERSION"], check=False)
    if asked.returncode or numbers(asked.stdout) < numbers(needed):
        raise NotReady(f"{go} is too old for a kit from source: {asked.stdout.strip()}", cure)
    return go


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


class Go:
    """The go program for one architecture, its words in a log."""

    def __init__(self, architecture: str, log: Path) -> None:
        self.program = find_go()
        self.log = log
        self.settings = (
            "GOOS=linux", f"GOARCH={architecture}", "CGO_ENABLED=0", "GOWORK=off",
            "GOFLAGS=-mod=mod -trimpath -buildvcs=false",
        )  # fmt: skip

    def run(self, folder: Path, *words: str) -> None:
        run(self._command(folder, words), log=self.log)

    def ask(self, folder: Path, *words: str) -> dict[str, Any]:
        """The JSON that a go command prints."""
        answer: dict[str, Any] = json.loads(run(self._command(folder, words)).stdout)
        return answer

    def _command(self, folder: Path, words: tuple[str, ...]) -> list[str]:
        return ["env", f"--chdir={folder}", *self.settings, self.program, *words]

    def build(self, part: Part, work: Path, programs: Path) -> None:
        """Build all programs of a part into the folder `programs`."""
        folder = work / part.name
        folder.mkdir()
        (folder / "go.mod").write_text(main_module(part))
        self._pin_kubernetes_libraries(part, folder)
        for name in part.own:
            shutil.copytree(SOURCES / name, folder / name)
        packages = [f"./{name}" for name in part.own] + list(part.packages)
        if part.copied:
            self._copy_main(part, folder)
            packages.append(f"./{part.copied}")
        values = [f"-X={name}={value}" for name, value in part.values]
        linker = " ".join(["-s", "-w", *values])
        self.run(folder, "build", f"-ldflags={linker}", "-o", f"{programs}/", *packages)

    def _pin_kubernetes_libraries(self, part: Part, folder: Path) -> None:
        """k8s.io/kubernetes takes its libraries from beside itself, where its module has none."""
        for module in part.requires:
            if module.startswith("k8s.io/kubernetes@"):
                there = self.ask(folder, "mod", "download", "-json", module)
                wanted = self.ask(folder, "mod", "edit", "-json", there["GoMod"])
                self.run(folder, "mod", "edit", *replaced(wanted))

    def _copy_main(self, part: Part, folder: Path) -> None:
        there = self.ask(folder, "mod", "download", "-json", part.requires[0])
        text = Path(there["Dir"], "main.go").read_text()
        (folder / part.copied).mkdir()
        (folder / part.copied / "main.go").write_text(without_imports(text, part.without))


def main_module(part: Part) -> str:
    lines = [f"require {module.replace('@', ' ')}\n" for module in part.requires]
    return GO_MOD.read_text() + "".join(lines)


def replaced(go_mod: dict[str, Any]) -> list[str]:
    """Options of `go mod edit` that name a published version for each library without one."""
    return [
        f"-replace={one['Path']}={one['Path']}@{KUBERNETES_LIBRARIES}"
        for one in go_mod["Require"]
        if one["Version"] == "v0.0.0"
    ]


def without_imports(text: str, packages: tuple[str, ...]) -> str:
    """Go source without the one line that imports each of these for its effects."""
    for package in packages:
        text, count = re.subn(
            rf'^\s*_ "[^"]*/{re.escape(package)}"\n', "", text, flags=re.MULTILINE
        )
        if count != 1:
            raise LabError(f"the source imports {package} {count} times, not once")
    return text
