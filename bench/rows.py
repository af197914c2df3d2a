"""The rows of a result: with figures, or with the reason why there are none; and how a table shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from string import Formatter

from rich.table import Table

from ..stream.base.results import Result, Row, table_of

Columns = Mapping[str, str]  # title of a column -> the form of its cells, "{p50_ms:.1f}" for example


def measured(result: Result) -> list[Row]:
    """The rows that have figures."""
    return [row for row in result["rows"] if "skipped_because" not in row]


def not_measured(result: Result, *keys: str) -> str:
    """A line for each row without figures, by its ``keys``: why that is so. The same line comes once."""
    rows = [row for row in result["rows"] if "skipped_because" in row]
    lines = [f"{' '.join(row[key] for key in keys)} is not measured: {row['skipped_because']}" for row in rows]
    return "\n".join(dict.fromkeys(lines))


def cells(columns: Columns, row: Row) -> list[str]:
    """What a row has in each column; nothing where it lacks a field of the form, or the field is None."""
    filled = []
    for form in columns.values():
        fields = [field for _, field, _, _ in Formatter().parse(form) if field]
        filled.append("" if any(row.get(field) is None for field in fields) else form.format_map(row))
    return filled


def filled_table(
    title: str, columns: Columns, rows: Iterable[Row], bold: Callable[[Row], bool] = lambda row: False
) -> Table:
    """A table of rows for people: columns of words first, then, from the first with a format on, of numbers."""
    titles, forms = list(columns), list(columns.values())
    words = next((number for number, form in enumerate(forms) if ":" in form), len(forms))
    shown = table_of(title, tuple(titles[:words]), tuple(titles[words:]))
    for row in rows:
        shown.add_row(*cells(columns, row), style="bold" if bold(row) else None)
    return shown
