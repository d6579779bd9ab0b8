"""Kernels against the functions they are made from."""

import math

import pytest
import torch
from torch import Tensor

from dalearn.kernels import Call, KernelError, Sequence, build_kernel, compiler
from dalearn.kernels import build as kernel_build

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler")
EPSILON = {torch.float32: 2.0**-23, torch.float64: 2.0**-52}
DTYPES = [torch.float32, torch.float64]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DALEARN_CACHE", str(tmp_path))


def kernel(function, *tensors: Tensor, rows: tuple[int, ...] = (1,), name=None):
    return build_kernel(lambda *inputs: (function(*inputs),), tensors, rows, name=name)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("function", "low", "high", "ulp"),
    [
        (torch.exp, -80.0, 80.0, 1.5),
        (torch.expm1, -20.0, 20.0, 1.5),
        (torch.expm1, -1e-3, 1e-3, 1.5),
        (torch.log, 1e-30, 1e-3, 1.5),
        (torch.log, 0.5, 2.0, 1.5),
        (torch.sin, -10.0, 10.0, None),
        (torch.cos, -10.0, 10.0, None),
        (torch.acos, -0.99, 0.99, 3.0),
        (torch.atan, -10.0, 10.0, 1.5),
        (torch.tanh, -4.0, 4.0, 6.0),
        (torch.sqrt, 0.0, 1e6, 1.0),
        (lambda x: x**3, -4.0, 4.0, 3.0),
        (lambda x: x**-2, 0.1, 4.0, 3.0),
        (lambda x: 1.0 / x, 0.1, 4.0, 1.0),
    ],
)
def test_functions_are_accurate(dtype, function, low, high, ulp):
    """Against float64 for float32, against the library for float64; the circular functions in absolute terms."""
    x = torch.linspace(low, high, 20_001, dtype=dtype)[None]
    (found,) = kernel(function, x)(x)
    exact = function(x.double())
    tolerance = 1.5 if ulp is None else ulp + (1.0 if dtype == torch.float64 else 0.0)
    scale = torch.ones_like(exact) if ulp is None else exact.abs()
    assert ((found.double() - exact).abs() <= tolerance * EPSILON[dtype] * scale + 1e-300).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", [torch.exp, torch.expm1, torch.log, torch.sqrt])
def test_ends_of_the_range(dtype, function):
    values = [0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1000.0, -1000.0]
    x = torch.tensor(values * 4, dtype=dtype)[None]
    (found,) = kernel(function, x)(x)
    torch.testing.assert_close(found, function(x), equal_nan=True)


@pytest.mark.parametrize("function", [torch.maximum, torch.minimum, lambda a, b: torch.where(a > b, a, b)])
def test_not_a_number_is_not_lost(function):
    a = torch.tensor([1.0, math.nan, 2.0, math.nan] * 8, dtype=torch.float64)[None]
    b = torch.tensor([2.0, 1.0, math.nan, math.nan] * 8, dtype=torch.float64)[None]
    (found,) = kernel(function, a, b)(a, b)
    torch.testing.assert_close(found, function(a, b), equal_nan=True)
    (clamped,) = kernel(lambda x: torch.clamp(x, min=0.0, max=1.0), a)(a)
    torch.testing.assert_close(clamped, torch.clamp(a, min=0.0, max=1.0), equal_nan=True)


def layers(x: Tensor, y: Tensor) -> Tensor:
    """Everything that happens to rows in the land model: layers taken, moved, joined, summed, masked."""
    top, rest = x.split([1, 3])
    shifted = torch.cat([torch.zeros_like(rest[:1]), rest[:-1]], dim=0)
    mask = (rest > 0.3) & ~(shifted >= 0.6) | (rest == shifted)
    mixed = torch.where(mask, rest * y[0], torch.clamp(shifted - top, min=-0.2))
    total = mixed.sum(dim=0, keepdim=True) + mixed.amax(dim=0) + mask.to(x.dtype).sum(dim=0)
    running = torch.cumsum(mixed, dim=0)
    stacked = torch.stack([layer * (2.0 - k) for k, layer in enumerate(mixed.unbind(0))])
    return torch.cat([total, running, stacked, stacked.flip(0), total.expand(2, -1)], dim=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 3, 8, 16, 17, 100, 1001])
def test_rows_and_any_number_of_columns(dtype, columns):
    random = torch.Generator().manual_seed(columns)
    x, y = (torch.rand(rows, columns, generator=random, dtype=dtype) for rows in (4, 2))
    (found,) = kernel(layers, x, y, rows=(12,))(x, y)
    torch.testing.assert_close(found, layers(x, y), rtol=4 * EPSILON[dtype], atol=4 * EPSILON[dtype])


def test_columns_do_not_depend_on_their_neighbours():
    """Cut anywhere, or run by several threads, the columns have the same bits."""
    x, y = torch.rand(4, 2000, dtype=torch.float64), torch.rand(2, 2000, dtype=torch.float64)
    run = kernel(layers, x, y, rows=(12,))
    (whole,) = run(x, y)
    for first, last in ((0, 5), (3, 20), (17, 1000), (1990, 2000)):
        (part,) = run(x[:, first:last], y[:, first:last])
        assert torch.equal(part, whole[:, first:last])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert torch.equal(run(x, y)[0], whole)
    finally:
        torch.set_num_threads(before)


def test_derivatives_inside():
    x, y, g = (torch.rand(rows, 40, dtype=torch.float64) for rows in (4, 2, 12))

    def pull(x, y, g):
        return torch.func.vjp(layers, x, y)[1](g)

    found = build_kernel(pull, [x, y, g], [4, 2])(x, y, g)
    torch.testing.assert_close(found, pull(x, y, g), rtol=1e-14, atol=1e-14)


def test_long_formulas_are_cut_into_parts():
    def long(x):
        rows = list(x.unbind(0))
        for k in range(1500):
            rows[k % 4] = 0.4 * torch.sqrt(1.0 + rows[k % 4] * rows[(k + 1) % 4]) + 0.3 * rows[(k + 2) % 4]
        return torch.stack(rows)

    x = torch.rand(4, 64, dtype=torch.float64)
    (found,) = kernel(long, x, rows=(4,))(x)
    torch.testing.assert_close(found, long(x), rtol=1e-12, atol=1e-14)


def test_a_named_kernel_is_found_on_the_disk(tmp_path):
    x = torch.rand(2, 32)
    (first,) = kernel(torch.exp, x, rows=(2,), name="growth")(x)

    def never(x):
        raise AssertionError("traced again")

    (second,) = kernel(never, x, rows=(2,), name="growth")(x)
    assert torch.equal(first, second)
    assert len(list(tmp_path.rglob("*.so"))) == 1
    assert [path.name for path in (tmp_path / "kernels").iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: x.sum(dim=1, keepdim=True).expand(-1, x.shape[1]), "along the columns"),
        (lambda x: x.erfinv(), "erfinv"),
        (lambda x: x[:, :5], "part of the columns"),
    ],
)
def test_what_is_not_possible_is_named(function, words):
    x = torch.rand(2, 32)
    with pytest.raises(KernelError, match=words):
        kernel(function, x, rows=(2,))


def test_a_wrong_input_is_refused():
    x = torch.rand(2, 32)
    run = kernel(torch.exp, x, rows=(2,))
    for wrong in (torch.rand(3, 32), torch.rand(2, 32, dtype=torch.float64)):
        with pytest.raises(ValueError, match="2 rows"):
            run(wrong)


def test_no_compiler_is_said(monkeypatch):
    monkeypatch.setattr(kernel_build, "compiler", lambda: None)
    from dalearn.kernels import kernel as module

    monkeypatch.setattr(module, "compiler", lambda: None)
    with pytest.raises(KernelError, match=r"no C\+\+ compiler"):
        kernel(torch.exp, torch.rand(2, 32), rows=(2,))


@pytest.mark.parametrize("columns", [16, 100, 383, 384, 385, 400, 1000])
def test_a_sequence_gives_the_bits_of_its_kernels(columns):
    """Recorded on 40 columns: a value used twice, an inner one, a kernel called again on its own result."""

    def mix(x, y):
        return (torch.sin(x) * y[:1] + x,)

    def end(x, y):
        return x.sum(dim=0, keepdim=True), y * x[1:]

    def run(x, y):
        first = mix_kernel(x, y)[0]
        second = mix_kernel(first, y)[0]
        return first, second, end_kernel(second, y)

    x, y = torch.rand(3, 40, dtype=torch.float64), torch.rand(2, 40, dtype=torch.float64)
    mix_kernel, end_kernel = build_kernel(mix, [x, y], [3]), build_kernel(end, [x, y], [1, 2])
    first, second, (total, product) = run(x, y)
    calls = [
        Call(mix_kernel, (x, y), (first,)),
        Call(mix_kernel, (first, y), (second,)),
        Call(end_kernel, (second, y), (total, product)),
    ]
    sequence = Sequence(calls, [x, y], [product, total, second])
    x, y = torch.rand(3, columns, dtype=torch.float64), torch.rand(2, columns, dtype=torch.float64)
    _, second, (total, product) = run(x, y)
    for found, expected in zip(sequence(x, y), (product, total, second), strict=True):
        assert torch.equal(found, expected)
    with pytest.raises(ValueError, match="rows got"):
        sequence(y, x)
    with pytest.raises(ValueError, match="neither given nor made"):
        Sequence(calls[1:], [x, y], [total])
