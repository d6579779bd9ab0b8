"""Whether the observations reach into the run, for small and for large files."""

from pathlib import Path

import pytest

from dalearn.errors import InputError
from dalearn.experiments import observations
from dalearn.experiments.config import load_config
from dalearn.experiments.setup import Setup
from tests.experiments.conftest import Configure


@pytest.mark.parametrize("large", [False, True])
def test_observations_have_to_overlap(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    """The same verdict however much is read; of a large file the search stops at the first usable sample."""
    if large:
        monkeypatch.setattr(observations, "LARGE_FILE", 0)
    read = []
    original = observations.read_observations

    def counted(*arguments, **options):
        result = original(*arguments, **options)
        read.append(len(result))
        return result

    monkeypatch.setattr(observations, "read_observations", counted)
    observations.check_overlap(Setup(load_config(configure(), run_directory=str(tmp_path)), tmp_path))
    assert read
    assert (max(read) < 20) == large
    elsewhere = configure(open_loop__end="2015-07-13", assimilation__start="2015-07-01", assimilation__end="2015-07-05")
    with pytest.raises(InputError, match=r"sigma0: samples from .* none in assimilation.start to assimilation.end"):
        observations.check_overlap(Setup(load_config(elsewhere, run_directory=str(tmp_path)), tmp_path))
