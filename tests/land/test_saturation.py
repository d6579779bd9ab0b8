"""isba_physics.md 11.1."""

import pytest
import torch

from dalearn.land.saturation import (
    ice_saturation_vapour_pressure,
    saturation_humidity_and_slope,
    saturation_specific_humidity,
    saturation_vapour_pressure,
)

GOLDEN = [
    (253.15, 103.1791420344975, 6.42004834344648e-4, 6.166364423e-5),
    (263.15, 259.7384697742329, 1.617111129826727e-3, 1.4369425590e-4),
    (273.15, 610.6371654498423, 3.806833194212253e-3, 3.1408465920e-4),
    (273.16, 611.14, 3.809975223322247e-3, 3.1432118957e-4),
    (283.15, 1226.4967023264126, 7.664107528551826e-3, 5.154610353e-4),
    (293.15, 2334.3006911943894, 1.464815845602287e-2, 9.141618830e-4),
    (303.15, 4233.466362500694, 2.675958912909423e-2, 1.557837455e-3),
]
PRESSURE = torch.tensor(1.0e5, dtype=torch.float64)


@pytest.mark.parametrize(("temperature", "vapour_pressure", "humidity", "slope"), GOLDEN)
def test_golden(temperature: float, vapour_pressure: float, humidity: float, slope: float) -> None:
    t = torch.tensor(temperature, dtype=torch.float64)
    q, dq = saturation_humidity_and_slope(t, PRESSURE)
    assert saturation_vapour_pressure(t).item() == pytest.approx(vapour_pressure, rel=1e-12)
    assert q.item() == pytest.approx(humidity, rel=1e-12)
    assert dq.item() == pytest.approx(slope, rel=1e-9)
    assert saturation_specific_humidity(t, PRESSURE).item() == q.item()


def test_slope_is_the_derivative_away_from_the_triple_point() -> None:
    t = torch.tensor([240.0, 265.0, 280.0, 310.0], dtype=torch.float64, requires_grad=True)
    q, dq = saturation_humidity_and_slope(t, PRESSURE)
    (gradient,) = torch.autograd.grad(q.sum(), t)
    torch.testing.assert_close(gradient, dq, rtol=1e-12, atol=0.0)


def test_ice_and_water_meet_at_the_triple_point_only() -> None:
    t = torch.tensor([273.16, 263.16, 283.16], dtype=torch.float64)
    ice, mixed = ice_saturation_vapour_pressure(t), saturation_vapour_pressure(t)
    assert ice[0] == mixed[0]
    assert ice[1] == mixed[1]
    assert ice[2] > mixed[2]
