"""Files written in the background: order, errors, gradients."""

import threading

import netCDF4
import numpy as np
import pytest
import torch

from dalearn.errors import InputError
from dalearn.experiments.background import BackgroundWriter
from dalearn.io import create_variable, reading, writing


def test_tasks_are_done_in_order_by_another_thread_and_all_of_them():
    done = []
    with BackgroundWriter() as background:
        for number in range(20):
            background.submit(lambda number: done.append((number, threading.get_ident())), number)
    assert [number for number, _ in done] == list(range(20))
    assert threading.get_ident() not in {thread for _, thread in done}


def test_the_owner_goes_on_while_a_task_is_under_way():
    released = threading.Event()
    with BackgroundWriter() as background:
        background.submit(lambda: released.wait(60))
        released.set()  # would never be reached if submit waited
    assert released.is_set()


def test_a_failed_write_is_raised_by_the_next_one():
    def fail():
        raise InputError("analysis.nc: cannot be written (no space left); make room")

    reached = []
    with BackgroundWriter() as background:
        background.submit(fail)
        with pytest.raises(InputError, match="no space left"):
            background.submit(reached.append, 1)
    assert not reached


def test_the_last_failed_write_is_raised_at_the_end():
    def fail():
        raise InputError("restart.nc: cannot be written")

    with pytest.raises(InputError, match=r"restart\.nc"), BackgroundWriter() as background:
        background.submit(fail)


def test_an_error_of_the_owner_is_not_hidden_by_one_of_the_writer(caplog):
    def fail():
        raise InputError("restart.nc: cannot be written")

    def go_wrong():
        with BackgroundWriter() as background:
            background.submit(fail)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        go_wrong()
    assert "restart.nc: cannot be written" in caplog.text


def test_tasks_keep_no_graphs():
    enabled = []
    with BackgroundWriter() as background:
        background.submit(lambda: enabled.append(torch.is_grad_enabled()))
    assert enabled == [False]


def test_netcdf_is_written_and_read_by_two_threads_at_once(tmp_path):
    def write(number):
        with writing(tmp_path / f"file_{number}.nc") as file:
            file.createDimension("cell", 1000)
            for name in range(20):
                create_variable(file, f"v{name}", ("cell",), "f8")[:] = np.full(1000, float(number))

    write(0)
    with BackgroundWriter() as background:
        for number in range(1, 40):
            background.submit(write, number)
            with reading(tmp_path / "file_0.nc") as file:
                assert isinstance(file, netCDF4.Dataset)
                assert (file["v7"][:] == 0.0).all()
    for number in range(40):
        with reading(tmp_path / f"file_{number}.nc") as file:
            assert (file["v19"][:] == number).all()
