"""Bare soil backscatter against the numbers of the filter specification (ldas_sekf.md 10.9)."""

import math

import pytest
import torch

from dalearn.errors import InputError
from dalearn.operators import create_operator

WET = torch.tensor([[0.20]], dtype=torch.float64)


@pytest.mark.parametrize(("polarisation", "sigma0"), [("VV", -10.994642), ("HH", -11.845681), ("HV", -20.463403)])
def test_golden_values(polarisation, sigma0):
    operator = create_operator("bare_soil", cell_count=1, rms_height=1.0, polarisation=polarisation)
    assert operator(WET).item() == pytest.approx(sigma0, abs=1e-6)


def test_derivative_and_roughness():
    """d sigma0 / d SSM = 1000 c cot(theta) dB per m3 m-3; ten times the roughness gives 10 d sin(theta) dB."""
    moisture = WET.clone().requires_grad_()
    operator = create_operator("bare_soil", cell_count=1, rms_height=0.6)
    (slope,) = torch.autograd.grad(operator(moisture).sum(), moisture)
    angle = math.radians(40.0)
    assert slope.item() == pytest.approx(8.0 / math.tan(angle))
    rougher = create_operator("bare_soil", cell_count=1, rms_height=3.0)
    assert (rougher(WET) - operator(WET)).item() == pytest.approx(7.1 * math.sin(angle) * math.log10(5.0))


def test_rms_height_is_per_cell_and_stays_in_its_range():
    operator = create_operator("bare_soil", cell_count=2, rms_height=torch.tensor([0.7, 2.0]))
    torch.testing.assert_close(operator.rms_height, torch.tensor([0.7, 2.0], dtype=torch.float64), rtol=1e-6, atol=0)
    operator.rms_height_logit.data += 50.0
    assert operator.rms_height.tolist() == pytest.approx([4.0, 4.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rms_height": 5.0}, r"rms_height must be inside \(0.5, 4\) cm"),
        ({"polarisation": "VX"}, "use HH, VV, HV"),
        ({"incidence_angle": 0.0}, "incidence_angle is 0.0"),
        ({"frequency": -1.0}, "frequency is -1.0"),
        ({"predictors": ["LAI"]}, "takes one soil moisture"),
    ],
)
def test_what_it_refuses(options, message):
    with pytest.raises(InputError, match=message):
        create_operator("bare_soil", cell_count=1, **options)
