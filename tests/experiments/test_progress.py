"""Progress away from a terminal: log lines with rate and remaining time."""

import logging

import pytest

from dalearn.experiments import progress
from dalearn.experiments.progress import Progress, clock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (185, "3 min 05 s"), (3600, "1 h 00 min"), (7800, "2 h 10 min")],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_lines_have_rate_and_remaining_time(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    now = 1000.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with caplog.at_level(logging.INFO, "dalearn"), Progress("open loop", 100, "days", done=20, every=10.0) as bar:
        now = 1005.0
        bar.update(5)
        assert not caplog.messages
        now = 1100.0  # a slow start
        bar.update(5)
        now = 1110.0
        bar.update(20)
        now = 1120.0
        bar.update(50)
    assert caplog.messages == [
        "open loop: 30 % (30/100 days), 0.1 days/s, 11 min 40 s left",
        "open loop: 50 % (50/100 days), 2 days/s, 25 s left",
    ]
