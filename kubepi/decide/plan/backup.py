"""`backup`: a snapshot of this master in a file; what is older than it needs to be goes."""

from kubepi.machine.backups import BACKUPS
from kubepi.machine.step import Step
from kubepi.steps.backups import BackupCopied, BackupMade, BackupsPruned


def plan(file: str, keep: int, folder: str = "", is_shared: bool = False) -> list[Step]:
    """`folder`: where a copy is wanted besides; sealed, if that `is_shared` with others."""
    steps: list[Step] = [BackupMade(file), BackupsPruned(BACKUPS, keep)]
    if folder:
        steps += [BackupCopied(file, folder, is_shared), BackupsPruned(folder, keep)]
    return steps
