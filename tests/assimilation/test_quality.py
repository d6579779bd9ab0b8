"""Quality control: ldas_sekf.md 1.7 and 10.12."""

import pytest
import torch

from dalearn.assimilation.quality import (
    QualitySettings,
    Rejection,
    check_observations,
    count_rejections,
    frozen_cells,
    total_rejections,
)

SSM = ("SSM",)


def codes(values, equivalent=0.2, quantities=SSM, frozen=None, usable=None, **settings):
    observed = torch.tensor([values], dtype=torch.float64)
    cells = observed.shape[-1]
    code = check_observations(
        quantities,
        observed,
        torch.full_like(observed, equivalent),
        torch.tensor(frozen or [False] * cells),
        torch.tensor([usable or [True] * cells]),
        QualitySettings(**settings),
    )
    return [Rejection(int(value)).name for value in code[0]]


def test_fill_values_and_nonsense():
    """Section 10.12; SURFEX would take 998.9, -99 and NaN."""
    values = [1e20, -9999.0, 999.0, 998.9, -99.0, float("nan"), float("inf"), 0.25]
    expected = ["MISSING", "OUT_OF_RANGE", "MISSING", "OUT_OF_RANGE", "OUT_OF_RANGE", "MISSING", "NOT_FINITE",
                "ASSIMILATED"]  # fmt: skip
    assert codes(values) == expected


def test_a_quantity_without_range_is_only_checked_against_the_departure():
    assert codes([500.0, -9999.0, 1300.0], quantities=("VOD",)) == ["ASSIMILATED", "DEPARTURE", "DEPARTURE"]


def test_range_is_that_of_the_units():
    """An operator trained on % of saturation is compared with % of saturation."""
    observed = torch.tensor([[45.0, 101.0, -0.5]], dtype=torch.float64)
    rest = torch.zeros(3, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool)

    def flags(units):
        code = check_observations(SSM, observed, torch.full_like(observed, 40.0), *rest, units=units)
        return [Rejection(int(value)).name for value in code[0]]

    assert flags(["%"]) == ["ASSIMILATED", "OUT_OF_RANGE", "OUT_OF_RANGE"]
    assert flags(["m3 m-3"]) == flags(None) == ["OUT_OF_RANGE"] * 3


def test_departure_threshold():
    assert codes([0.25, 0.31, 0.05], maximum_departure={"SSM": 0.1}) == ["ASSIMILATED", "DEPARTURE", "DEPARTURE"]
    assert codes([0.25], equivalent=float("nan")) == ["DEPARTURE"]


def test_first_reason_wins():
    values, frozen, usable = [0.2, 0.2, 2.0, float("nan")], [True, False, True, True], [False] * 4
    assert codes(values, frozen=frozen, usable=usable) == ["FROZEN", "OPERATOR_UNUSABLE", "OUT_OF_RANGE", "MISSING"]


def test_frozen_screening_can_be_switched_off():
    assert codes([0.2], frozen=[True], frozen_soil=False) == ["ASSIMILATED"]


def test_frozen_only_when_every_patch_has_ice_in_layer_two(toy):
    grid = toy.grid([[7, 10], [7, 10], [4], [4]], [[0.5, 0.5], [0.5, 0.5], [1.0], [1.0]])
    ice = torch.zeros(14, 6, dtype=torch.float64)
    ice[0] = 0.1
    ice[1] = torch.tensor([4e-6, 0.015, 4e-6, 0.0, 1e-9, 0.0])
    assert frozen_cells(grid, ice).tolist() == [True, False, True, False]


def test_counts():
    code = torch.tensor([[0, 1, 3, 3], [0, 0, 4, 6]], dtype=torch.int8)
    counts = count_rejections(("SSM", "LAI"), code)
    assert counts["SSM"] == {
        "assimilated": 1, "not_finite": 0, "out_of_range": 2, "frozen": 0, "operator_unusable": 0, "departure": 0,
        "unlikely_departure": 0,
    }  # fmt: skip
    assert counts["LAI"]["frozen"] == counts["LAI"]["departure"] == 1
    total = total_rejections([counts, {}, counts])
    assert total["SSM"]["out_of_range"] == 4
    assert counts["SSM"]["out_of_range"] == 2


@pytest.mark.parametrize(("quantity", "good", "bad"), [("sigma0", -9.0, 40.0), ("LAI", 3.0, 20.0)])
def test_range_comes_from_the_variable_table(quantity, good, bad):
    assert codes([good, bad], quantities=(quantity,)) == ["ASSIMILATED", "OUT_OF_RANGE"]
