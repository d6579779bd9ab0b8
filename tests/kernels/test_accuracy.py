"""Exponential and logarithm of kernels in units in the last place, for every width of vectors."""

import math
import platform

import numpy as np
import pytest
import torch

from dalearn.kernels import build, build_kernel, compiler

pytestmark = [
    pytest.mark.skipif(compiler() is None, reason="no C++ compiler"),
    pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="nothing more precise than float64 to compare with"),
]
# the registers of this machine, and narrower ones
WIDTHS = {"native": (), "32 bytes": ("-mno-avx512f",), "16 bytes": ("-mno-avx512f", "-mno-avx")}
NUMPY = {torch.float32: np.float32, torch.float64: np.float64}


@pytest.fixture(params=WIDTHS, autouse=True)
def width(request, tmp_path, monkeypatch):
    if WIDTHS[request.param] and platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("one width only")
    monkeypatch.setenv("DALEARN_CACHE", str(tmp_path))
    monkeypatch.setattr(build, "FLAGS", build.FLAGS + WIDTHS[request.param])


def run(function, x: np.ndarray) -> np.ndarray:
    columns = torch.from_numpy(x)[None]
    return build_kernel(lambda x: (function(x),), [columns], [1])(columns)[0][0].numpy()


def units(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """The error in units in the last place of the exact value."""
    form = np.finfo(found.dtype)
    size = np.maximum(np.abs(exact), np.longdouble(form.tiny))
    return np.abs(found - exact) / np.exp2(np.floor(np.log2(size)) - form.nmant)


def arguments(name: str, dtype: type) -> np.ndarray:
    """All of the range, and where it is difficult: results near zero, the borders of tables, the ends."""
    random = np.random.default_rng(1)
    tiny, most = (float(value) for value in (np.finfo(dtype).tiny, np.finfo(dtype).max))
    signs = random.choice([-1.0, 1.0], 50_000)
    if name == "logarithm":
        parts = [
            np.exp(random.uniform(math.log(tiny), math.log(most), 50_000)),
            random.uniform(0.5, 2.0, 200_000),
            1.0 + signs * 10.0 ** random.uniform(-8.0, -1.0, 50_000),
            np.nextafter(np.repeat(np.arange(16, 64) / 32.0, 2), np.tile([0.0, 9.0], 48)),
            np.array([tiny, most]),
        ]
    else:
        # the series ends just before the range does
        low, high = math.log(tiny) + 0.8, math.log(most) - 1e-4
        parts = [
            random.uniform(low, high, 200_000),
            random.uniform(-1.0, 1.0, 50_000),
            signs * 10.0 ** random.uniform(-20.0, -1.0, 50_000),
            (np.arange(-1000, 1000) + 0.5) * math.log(2.0) / 16.0,
        ]
        parts[-1] = parts[-1][(parts[-1] > low) & (parts[-1] < high)]
    return np.concatenate(parts).astype(dtype)


@pytest.mark.parametrize("dtype", NUMPY)
@pytest.mark.parametrize(
    ("name", "function", "exact", "most"),
    [
        ("exponential", torch.exp, np.exp, 1.25),
        ("minus one", torch.expm1, np.expm1, 2.0),
        ("logarithm", torch.log, np.log, 1.25),
    ],
)
def test_units_in_the_last_place(dtype, name, function, exact, most):
    x = arguments(name, NUMPY[dtype])
    assert units(run(function, x), exact(x.astype(np.longdouble))).max() <= most


@pytest.mark.parametrize("dtype", NUMPY)
@pytest.mark.parametrize("function", [torch.exp, torch.log])
def test_exceptional_arguments(dtype, function):
    """One by one among ordinary neighbours, as the library has them."""
    form = torch.finfo(dtype)
    ends = [math.inf, form.max, 1e4, 1.0, form.tiny, 0.0]
    values = [math.nan, *ends, *(-end for end in ends)]
    x = torch.full((len(values), 32), 0.7, dtype=dtype)
    x[:, 5] = torch.tensor(values, dtype=dtype)
    found = torch.from_numpy(np.stack([run(function, row.numpy()) for row in x]))
    torch.testing.assert_close(found, function(x), equal_nan=True)
