import re

import numpy as np
import pandas as pd
import pytest

from dalearn.evaluation.report import Report, format_number

PNG = b"\x89PNG\r\n\x1a\nnot really"


@pytest.fixture
def page(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    frame = pd.DataFrame(
        {
            "station": ["<SBR>"], "R difference": [0.123], "R difference low": [0.05], "R difference high": [0.2],
            "RMSD (m3 m-3)": [np.nan], "number": [12345],
        }
    )  # fmt: skip
    report = Report("A & B <run>").section("First <section>").paragraph("x < y & z").table(frame, 'a "caption"')
    report.summary(["EKF <b>better</b>"]).items(["one"]).code("key: <value>", "Configuration")
    report.missing("truth.nc is not there").subsection("Sub").figure(tmp_path / "a.png", "a <figure>")
    return report.write(tmp_path / "out" / "report.html")


def test_report_is_one_file_without_references(page):
    text = page.read_text(encoding="utf-8")
    assert [file.name for file in page.parent.iterdir()] == ["report.html"]
    sources = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')> ]+)""", text)
    assert sources
    assert all(source.startswith(("#", "data:image/png;base64,")) for source in sources)
    assert not re.search(r"https?://|<script|<link|@import", text)


def test_report_escapes_everything(page):
    text = page.read_text(encoding="utf-8")
    escaped_texts = (
        "A &amp; B &lt;run&gt;", "First &lt;section&gt;", "x &lt; y &amp; z", "&lt;SBR&gt;", "a &lt;figure&gt;",
        "EKF &lt;b&gt;better", "key: &lt;value&gt;", "a &quot;caption&quot;",
    )  # fmt: skip
    for escaped in escaped_texts:
        assert escaped in text
    for raw in ("<run>", "<section>", "<SBR>", "<figure></", "<value>"):
        assert raw not in text


def test_intervals_stand_behind_their_value(page):
    text = page.read_text(encoding="utf-8")
    assert '<b>0.123</b> <span class="interval">[0.050, 0.200]</span>' in text
    assert "R difference low" not in text
    assert "RMSD (m³ m⁻³)" in text
    assert "12 345" in text


def test_summary_stands_before_the_sections(page):
    text = page.read_text(encoding="utf-8")
    assert text.index('class="summary"') < text.index('id="section-1"')


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (-1.5, "−1.50"), (283.149, "283.1"), (0.0042, "0.0042"), (1e-6, "1.0e−06"), (0.0, "0"),
     (float("nan"), "–"), (None, "–"), (pd.NA, "–"), (12345, "12 345"), (100.0, "100"), (123456789.0, "123 456 789"),
     ("text", "text")],
)  # fmt: skip
def test_numbers_are_readable(value, text):
    assert format_number(value) == text
