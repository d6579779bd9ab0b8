"""ISMN files, folders and archives: names, flags, depths, sensors."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dalearn.errors import InputError
from dalearn.observations.ismn_file import read_series, variable_of


def test_header_and_values(products: Any, prepare: Any, prepared: Any) -> None:
    counts = prepare("ismn", products.ismn(), 43.0, 1.0, error=0.04)
    assert counts == {"read": 4, "kept": 3, "flag_D03": 1}
    written = prepared()
    np.testing.assert_array_equal(written["SSM"], np.float32([0.21, 0.22, 0.9, 0.23]))
    assert written["reason"].tolist() == ["kept", "kept", "flag_D03", "kept"]
    assert written["when"][0] == np.datetime64("2012-01-01T00:00:00"), "the name says 1950"


def test_without_an_error_it_is_unknown(products: Any, prepare: Any, prepared: Any) -> None:
    prepare("ismn", products.ismn(), 43.0, 1.0)
    assert np.isnan(prepared()["SSM_error"]).all()


@pytest.mark.parametrize("where", ["folder", "zip"])
def test_folder_and_archive(products: Any, prepare: Any, prepared: Any, where: str) -> None:
    """The shallowest sensor of the nearest station speaks; temperatures are passed over."""
    shallow = products.ismn()
    files = [
        shallow, products.ismn(depth=0.2), products.ismn(sensor="Another"),
        products.ismn(station="Mouthoumet", latitude=43.05), products.ismn(station="Far", latitude=45.0),
    ]  # fmt: skip
    temperature = shallow.with_name(shallow.name.replace("_sm_", "_ts_"))
    temperature.write_text(shallow.read_text().replace("0.2", "12.2"))
    (products.folder / "NET_NET_Lezignan_static_variables.csv").write_text("quantity_name;unit\n")
    source = products.folder if where == "folder" else products.zipped(*files, temperature)
    counts = prepare("ismn", source, 43.0, 1.0, sensor="Probe_5_TM")
    assert counts == {
        "read": 20, "kept": 3, "outside_domain": 4, "other_depth": 4, "other_sensor": 4, "other_location": 4,
        "flag_D03": 1,
    }  # fmt: skip
    counts = prepare("ismn", source, 43.0, 1.0)
    assert counts["other_sensor"] == 4, "Another comes first in the order of the names"
    counts = prepare("ismn", source, 43.0, 1.0, depth=(0.15, 0.3))
    assert counts["kept"] == 3


def test_mean_of_stations(products: Any, prepare: Any, prepared: Any) -> None:
    rows = [f"2012/01/01 0{hour}:00 0.3{hour} G M" for hour in range(3)]
    files = [products.ismn(), products.ismn(station="Mouthoumet", latitude=43.05, rows=rows)]
    counts = prepare("ismn", files, 43.0, 1.0, aggregate="mean")
    assert counts == {"read": 7, "kept": 4, "averaged": 2, "flag_D03": 1}
    written = prepared()
    kept = written["rejected"] == 0
    np.testing.assert_allclose(written["SSM"][kept], [(0.21 + 0.30) / 2, (0.22 + 0.31) / 2, 0.32, 0.23], rtol=1e-6)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_line_ends(products: Any, prepare: Any, ends: str) -> None:
    path = products.ismn()
    path.write_bytes(path.read_text().replace("\n", ends).encode())
    assert prepare("ismn", path, 43.0, 1.0)["kept"] == 3


def test_ceop(products: Any, prepare: Any, prepared: Any) -> None:
    lines = [
        f"2012/01/01 0{hour}:00 2012/01/01 0{hour}:00 NET NET Lez_ignan 43.0 1.0 60.0 0.05 0.05 {value} {flag} M"
        for hour, (value, flag) in enumerate([("0.21", "G"), ("-9999.0", "M"), ("0.25", "G")])
    ]
    path = products.folder / "NET_NET_Lez_ignan_sm_0.050000_0.050000_My_Probe_19500101_20250101.stm"
    path.write_text("\n".join(lines))
    assert prepare("ismn", path, 43.0, 1.0, sensor="My Probe") == {"read": 3, "kept": 2, "flag_M": 1}
    np.testing.assert_array_equal(prepared()["SSM"], np.float32([0.21, np.nan, 0.25]))


def test_names_are_split_from_the_right() -> None:
    assert variable_of("A_A_Some_Station_ts_-0.050000_0.000000_Odd_Sensor_2_19500101_20250101.stm") == "ts"
    assert variable_of("whatever.stm") == "sm"


def test_negative_depths_and_spaces() -> None:
    text = "C N My Station  43.1 -1.2 -99.9 -0.05 0.00 Odd Sensor_2 \n2012/01/01 00:00 -999.99 G\n"
    (series,) = read_series("x", "x.stm", text)
    assert (series.station, series.sensor, series.depth) == ("My Station", "Odd Sensor_2", (-0.05, 0.0))
    assert np.isnan(series.value[0])


def test_an_update_overlaps_the_record(products: Any, prepare: Any) -> None:
    first = products.ismn()
    update = first.with_name(first.name.replace("_20250101", "_20260101"))
    update.write_text(first.read_text() + "2012/01/01 04:00 0.24 G M\n")
    assert prepare("ismn", [update, first], 43.0, 1.0) == {"read": 9, "kept": 4, "flag_D03": 1, "duplicate": 4}


def test_nothing_at_these_depths(products: Any, prepare: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"soil moisture is at 0.2-0.2, 0.3-0.3 m, not within 0 to 0.1 m"):
        prepare("ismn", [products.ismn(depth=0.2), products.ismn(depth=0.3)], 43.0, 1.0)
    with pytest.raises(
        InputError, match=r"no sensor Other; set prepare.observations.product.sensor to one of Probe_5.TM"
    ):
        prepare("ismn", products.ismn(), 43.0, 1.0, sensor="Other")
    assert not (tmp_path / "prepared.nc").exists()
