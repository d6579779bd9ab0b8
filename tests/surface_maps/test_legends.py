"""The crosswalk: sums, zones, and that it is the documented one."""

import re
from pathlib import Path

import numpy as np
import pytest

from dalearn.land.vegetation import VEGETATION_TYPES
from dalearn.surface_maps.legends import CGLS_LC100, COVERS, ESA_CCI, LEGENDS, ZONES, types_of_covers, zone

ESA_CODES = [
    0, 10, 11, 12, 20, 30, 40, 50, 60, 61, 62, 70, 71, 72, 80, 81, 82, 90, 100, 110, 120, 121, 122, 130, 140, 150, 151,
    152, 153, 160, 170, 180, 190, 200, 201, 202, 210, 220,
]  # fmt: skip
CGLS_CODES = [0, 20, 30, 40, 50, 60, 70, 80, 90, 100, *range(111, 117), *range(121, 127), 200, 255]


def fractions(legend: str, code: int, latitude: float, **wishes: float) -> dict[str, float]:
    table = LEGENDS[legend]
    row = table.covers[table.codes.tolist().index(code)][None]
    types = types_of_covers(row, np.array([latitude]), **wishes)[0]
    return {name: round(float(share), 6) for name, share in zip(VEGETATION_TYPES, types, strict=True) if share}


@pytest.mark.parametrize(("legend", "codes"), [("esa_cci", ESA_CODES), ("cgls_lc100", CGLS_CODES)])
def test_every_class_is_there_once_and_sums_to_one(legend: str, codes: list[int]) -> None:
    table = LEGENDS[legend]
    assert table.codes.tolist() == codes
    assert len(set(table.names)) >= len(codes) - 1
    total = table.covers.sum(axis=1)
    np.testing.assert_allclose(total[~table.no_data], 1.0, atol=1e-12)
    assert table.codes[table.no_data].tolist() == [code for code in (0, 255) if code in codes]
    assert (table.covers >= 0.0).all()
    not_land = table.covers[:, [COVERS.index("water"), COVERS.index("urban")]].sum(axis=1)
    for latitude in (-70.0, -40.0, 0.0, 23.5, 54.9, 55.0):
        types = types_of_covers(table.covers, np.full(len(codes), latitude))
        np.testing.assert_allclose(types.sum(axis=1) + not_land, total, atol=1e-12)


def test_every_cover_is_used_and_known() -> None:
    used = sum(legend.covers.sum(axis=0) for legend in LEGENDS.values())
    assert (used > 0.0).all()
    names = {part.split()[0] for text in (ESA_CCI, CGLS_LC100) for part in re.findall(r"[a-z_]+ \d+", text)}
    assert names - {"no_data"} == set(COVERS)


def test_zones_of_latitude() -> None:
    latitudes = np.array([-60.0, -30.0, -10.0, 23.4, 23.5, 54.9, 55.0])
    assert zone(latitudes).tolist() == [2, 1, 0, 0, 1, 1, 2]
    assert fractions("cgls_lc100", 114, 45.0) == {"TEBD": 0.85, "SHRB": 0.05, "GRAS": 0.1}
    assert fractions("cgls_lc100", 114, 5.0) == {"TRBD": 0.85, "SHRB": 0.05, "TROG": 0.1}
    assert fractions("cgls_lc100", 111, -60.0) == {"BONE": 0.85, "SHRB": 0.05, "BOGR": 0.1}
    assert fractions("esa_cci", 70, 45.0) == {"TENE": 0.7, "SHRB": 0.15, "GRAS": 0.15}
    assert fractions("esa_cci", 50, 2.0) == {"TRBE": 0.9, "SHRB": 0.1}
    assert fractions("esa_cci", 20, 45.0) == {"IRR": 1.0}
    assert fractions("esa_cci", 210, 45.0) == {}


def test_c4_share_of_crops() -> None:
    assert fractions("esa_cci", 10, 45.0) == {"C3": 0.9, "C4": 0.1}
    assert fractions("esa_cci", 10, 10.0) == {"C3": 0.5, "C4": 0.5}
    assert fractions("esa_cci", 10, 60.0) == {"C3": 1.0}
    assert fractions("esa_cci", 10, 60.0, c4_crop_fraction=0.25) == {"C3": 0.75, "C4": 0.25}


def test_forest_and_land_classes() -> None:
    cgls = LEGENDS["cgls_lc100"]
    assert cgls.codes[cgls.forest].tolist() == [*range(111, 117), *range(121, 127)]
    assert cgls.codes[~cgls.land].tolist() == [0, 50, 80, 200, 255]
    esa = LEGENDS["esa_cci"]
    assert esa.codes[esa.forest].tolist() == [50, 60, 61, 62, 70, 71, 72, 80, 81, 82, 90, 100, 160, 170]
    assert esa.codes[~esa.land].tolist() == [0, 190, 210]


def test_the_documented_crosswalk_is_that_of_the_code(repository: Path) -> None:
    text = (repository / "docs" / "surface.md").read_text()
    for heading, table in (("ESA-CCI", ESA_CCI), ("CGLS-LC100", CGLS_LC100), ("Zones", ZONES)):
        (section,) = re.findall(rf"^### {heading}\b.*?\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
        rows = [line for line in section.splitlines() if line.startswith("|")][2:]
        documented = [[field.strip() for field in row.strip().strip("|").split("|")] for row in rows]
        coded = [[field.strip() for field in line.split("|")] for line in table.strip().splitlines()]
        assert documented == coded, heading
