"""One self-contained HTML page: text, tables and figures in one file that can be mailed or archived.

Figures are embedded as PNG, the style sheet is inline, nothing is loaded from elsewhere.  All text is escaped.
"""

import base64
import html
import math
import re
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path

import pandas as pd

from dalearn.evaluation.style import pretty_units
from dalearn.files import write_text

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: #222; background: #fff;
  max-width: 68rem; margin: 0 auto; padding: 1.5rem 1.5rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: .5rem 0 .2rem; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 .6rem; padding-top: .6rem; border-top: 1px solid #ddd; }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .4rem; }
p { max-width: 48rem; margin: .5rem 0; }
nav { font-size: .9rem; margin: .6rem 0 1.2rem; } nav a { margin-right: 1.1rem; white-space: nowrap; }
a { color: #0b5c94; }
.summary { background: #f2f7fb; border-left: 4px solid #0072b2; padding: .7rem 1.2rem; margin: 1rem 0; }
.summary ul, ul.plain { margin: .3rem 0; padding-left: 1.2rem; } .summary li, ul.plain li { margin: .3rem 0; }
.summary h2 { border: 0; margin: .1rem 0 .3rem; padding: 0; font-size: 1.05rem; }
.missing { color: #6b4a00; background: #fdf6e7; padding: .35rem .8rem; border-left: 3px solid #e69f00; }
figure { margin: 1.2rem 0; } figure img { max-width: 100%; height: auto; }
figcaption, caption { font-size: .9rem; color: #444; text-align: left; padding: .3rem 0; caption-side: top;
  max-width: 48rem; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #e6e6e6; }
th { font-weight: 600; border-bottom: 2px solid #999; white-space: normal; vertical-align: bottom; }
th.text, td.text { text-align: left; white-space: normal; }
td .interval { color: #666; font-size: .92em; }
pre { background: #f7f7f7; padding: .8rem; overflow-x: auto; font-size: .82rem; line-height: 1.4; }
details { margin: .6rem 0; } summary { cursor: pointer; color: #0b5c94; }
@media print { body { max-width: none; } h2 { break-after: avoid; } figure, table { break-inside: avoid; } }
"""
_UNITS_IN_BRACKETS = re.compile(r"\(([^()]*)\)")


class Report:
    """Builds the page top down; every method returns the report, so that calls can be chained."""

    def __init__(self, title: str, subtitle: str = "") -> None:
        self.title = title
        self.subtitle = subtitle
        self._summary: list[str] = []
        self._summary_tables: list[str] = []
        self._sections: list[tuple[str, str]] = []
        self._body: list[str] = []

    def summary(self, lines: Sequence[str]) -> "Report":
        """Sentences of the box at the top of the page, whenever they are known."""
        self._summary += list(lines)
        return self

    def summary_table(self, frame: pd.DataFrame, caption: str = "") -> "Report":
        """A table of key numbers for the box at the top of the page."""
        self._summary_tables.append(_table(frame, caption))
        return self

    def section(self, heading: str) -> "Report":
        """Start a section, listed in the contents."""
        anchor = f"section-{len(self._sections) + 1}"
        self._sections.append((anchor, heading))
        self._body.append(f'<h2 id="{anchor}">{_escape(heading)}</h2>')
        return self

    def subsection(self, heading: str) -> "Report":
        self._body.append(f"<h3>{_escape(heading)}</h3>")
        return self

    def paragraph(self, text: str) -> "Report":
        self._body.append(f"<p>{_escape(text)}</p>")
        return self

    def missing(self, text: str) -> "Report":
        """A sentence saying which input was not there."""
        self._body.append(f'<p class="missing">{_escape(text)}</p>')
        return self

    def items(self, lines: Sequence[str]) -> "Report":
        """A list."""
        self._body.append(_list(lines, ' class="plain"'))
        return self

    def code(self, text: str, summary: str) -> "Report":
        """Verbatim text, folded under ``summary``."""
        self._body.append(f"<details><summary>{_escape(summary)}</summary><pre>{_escape(text)}</pre></details>")
        return self

    def table(self, frame: pd.DataFrame, caption: str = "") -> "Report":
        """A table; columns "X", "X low", "X high" become one with the interval behind the value.

        Differences whose interval does not contain 0 are bold.
        """
        self._body.append(_table(frame, caption))
        return self

    def figure(self, path: Path, caption: str = "") -> "Report":
        """A PNG file, embedded."""
        data = base64.b64encode(Path(path).read_bytes()).decode("ascii")
        self._body.append(
            f'<figure><img src="data:image/png;base64,{data}" alt="{_escape(caption or Path(path).stem)}">'
            f"<figcaption>{_escape(caption)}</figcaption></figure>"
        )
        return self

    def html(self) -> str:
        """The whole page."""
        contents = "".join(f'<a href="#{anchor}">{_escape(heading)}</a>' for anchor, heading in self._sections)
        lines = _list(self._summary) if self._summary else ""
        box = lines + "".join(self._summary_tables)
        box = f'<div class="summary"><h2>Summary</h2>{box}</div>' if box else ""
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{_escape(self.title)}</title><style>{_STYLE}</style></head><body>\n"
            f"<h1>{_escape(self.title)}</h1>\n<p>{_escape(self.subtitle)}</p>\n<nav>{contents}</nav>\n{box}\n"
            + "\n".join(self._body)
            + "\n</body></html>\n"
        )

    def write(self, path: Path) -> Path:
        """Write the page, replacing ``path`` in one step."""
        path = Path(path)
        write_text(path, self.html())
        return path


def format_number(value: object) -> str:
    """Two to three significant digits for a real number, all digits for an integer, a dash for undefined."""
    if value is None or value is pd.NA:
        return "–"
    if isinstance(value, Integral):
        return f"{int(value):,}".replace(",", " ").replace("-", "−")
    if not isinstance(value, Real):
        return str(value)
    number = float(value)
    if not math.isfinite(number):
        return "–"
    size = abs(number)
    digits = 1 if size >= 10 else 2 if size >= 1 else 3 if size >= 0.01 else 4
    text = f"{number:.{digits}f}" if size >= 5e-4 or number == 0 else f"{number:.1e}"
    return (f"{number:,.0f}".replace(",", " ") if number == round(number) else text).replace("-", "−")


def _escape(text: object) -> str:
    return html.escape(str(text), quote=True)


def _list(lines: Sequence[str], attributes: str = "") -> str:
    return f"<ul{attributes}>" + "".join(f"<li>{_escape(line)}</li>" for line in lines) + "</ul>"


def _table(frame: pd.DataFrame, caption: str) -> str:
    ends = {f"{name} {end}" for name in frame for end in ("low", "high")}
    columns = [name for name in frame if name not in ends]
    text = {name: not pd.api.types.is_numeric_dtype(frame[name]) for name in columns}
    head = "".join(f"<th{_class(text[name])}>{_heading(str(name))}</th>" for name in columns)
    rows = []
    for row in frame.to_dict("records"):
        cells = "".join(f"<td{_class(text[name])}>{_cell(row, str(name))}</td>" for name in columns)
        rows.append(f"<tr>{cells}</tr>")
    title = f"<caption>{_escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll"><table>{title}<thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _class(is_text: bool) -> str:
    return ' class="text"' if is_text else ""


def _heading(name: str) -> str:
    return _escape(_UNITS_IN_BRACKETS.sub(lambda match: f"({pretty_units(match.group(1))})", name))


def _cell(row: Mapping[object, object], name: str) -> str:
    value = _escape(format_number(row[name]))
    low, high = row.get(f"{name} low"), row.get(f"{name} high")
    if not isinstance(low, Real) or not isinstance(high, Real) or not math.isfinite(low) or not math.isfinite(high):
        return value
    certain = ("difference" in name or " - " in name) and float(low) * float(high) > 0
    shown = f"<b>{value}</b>" if certain else value
    return f'{shown} <span class="interval">[{format_number(low)}, {format_number(high)}]</span>'
