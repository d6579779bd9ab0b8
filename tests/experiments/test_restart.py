"""Restart files of the assimilation: all that a cycle carries comes back bit for bit."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dalearn.errors import InputError
from dalearn.experiments.config import load_config
from dalearn.experiments.restart import CycleRestart, read_cycle, write_cycle, write_state
from dalearn.experiments.run_directory import RunDirectory
from dalearn.experiments.setup import Setup
from dalearn.files import remove_leftovers, temporary_of, write_text, write_whole
from dalearn.land.state import LandState
from dalearn.tree import named_tensors

from .conftest import Configure

TIME = np.datetime64("2015-06-03T09:00", "s")


@pytest.fixture
def state(configure: Configure, tmp_path: Path) -> LandState:
    return Setup(load_config(configure()), tmp_path).cold_start()


def test_all_that_a_cycle_carries_comes_back(state: LandState, tmp_path: Path) -> None:
    columns = state.leaf_area_index.shape[-1]
    generator = torch.Generator().manual_seed(3)
    members = {f"ensemble.{name}": torch.stack([tensor, 1.1 * tensor]) for name, tensor in named_tensors(state)}
    carried = {
        "B": torch.rand(8, 8, columns, generator=generator, dtype=torch.float64) - 0.5,
        "single": torch.tensor([1.0e30, float("nan"), float("inf"), 0.1], dtype=torch.float32),
        "generator": generator.get_state(),
        "count": torch.tensor(-7),
        "flag": torch.tensor([True, False]),
        **members,
    }
    path = tmp_path / "restart.nc"
    write_cycle(path, CycleRestart(state, TIME, 3, carried), {"title": "a cycle"})
    again = read_cycle(path, columns)
    assert (again.time, again.windows_done) == (TIME, 3)
    assert all(
        torch.equal(a, b) for (_, a), (_, b) in zip(named_tensors(state), named_tensors(again.state), strict=True)
    )
    assert set(again.carried) == set(carried)
    for name, tensor in carried.items():
        assert again.carried[name].dtype == tensor.dtype, name
        assert again.carried[name].shape == tensor.shape, name
        assert torch.equal(again.carried[name].nan_to_num(12345.0), tensor.nan_to_num(12345.0)), name
    resumed = torch.Generator()
    resumed.set_state(again.carried["generator"])
    assert torch.equal(torch.rand(5, generator=resumed), torch.rand(5, generator=generator))


def test_a_cycle_begins_from_the_state_of_the_open_loop(state: LandState, tmp_path: Path) -> None:
    write_state(tmp_path / "open_loop.nc", state, TIME, {})
    begin = read_cycle(tmp_path / "open_loop.nc", state.leaf_area_index.shape[-1])
    assert (begin.windows_done, begin.carried) == (0, {})
    with pytest.raises(InputError, match="the surface has 999"):
        read_cycle(tmp_path / "open_loop.nc", 999)


def test_leftovers_are_known_by_their_name(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    left = [temporary_of(tmp_path / "folder" / "open_loop.nc"), temporary_of(tmp_path / "train.partial")]
    left[0].write_text("half")
    left[1].mkdir()
    kept = [tmp_path / "notes.tmp", tmp_path / ".hidden.tmp", tmp_path / "folder" / "open_loop.nc"]
    for path in kept:
        path.write_text("mine")
    remove_leftovers(tmp_path)
    assert not any(path.exists() for path in left)
    assert all(path.read_text() == "mine" for path in kept)


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "tables" / "scores.csv"
    write_text(path, "old")

    def fail(temporary: Path) -> None:
        temporary.write_text("ha")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"scores\.csv: cannot be written \(No space left on device\); .* make room"):
        write_whole(path, fail)
    assert [file.name for file in path.parent.iterdir()] == ["scores.csv"]
    assert path.read_text() == "old"


def test_what_a_killed_run_leaves_behind_is_tidied_up(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    directory.create()
    for stage in ("open_loop", "train"):
        directory.mark_started(stage, "mark")
        write_text(directory.partial(stage) / "restart.nc", "")
    directory.mark_complete("open_loop", "mark", [], 1.0)
    half = temporary_of(directory / "open_loop.nc")
    half.write_text("half")
    directory.close()
    directory.create()
    assert not half.exists()
    assert not directory.partial("open_loop").exists()
    assert directory.partial("train").exists()
    directory.close()


def test_a_stage_is_forgotten_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill while partial files are removed must not leave some of them to a later run."""
    directory = RunDirectory(tmp_path / "run")
    directory.create()
    directory.mark_started("train", "mark")
    write_text(directory.partial("train") / "restart.nc", "")
    monkeypatch.setattr("dalearn.experiments.run_directory.shutil.rmtree", lambda *_, **__: None)
    directory.forget("train")
    assert not directory.partial("train").exists()
    assert directory.stage_record("train") is None
    directory.close()
