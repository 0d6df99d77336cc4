"""Rows of text with aligned columns."""


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """A line for each row; the first is the heading."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
