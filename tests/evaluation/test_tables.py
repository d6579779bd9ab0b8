import numpy as np
import pandas as pd
import pytest

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.comparison import Comparison
from dalearn.evaluation.key_numbers import improved_by_class, judge, key_rows
from dalearn.evaluation.operator_tables import operator_table
from dalearn.evaluation.table_parts import ScoreSettings, write_table
from dalearn.evaluation.tables import cell_table, class_table, soil_moisture_table, station_table, summary_table

SETTINGS = ScoreSettings(resamples=100)
CELLS = Cells([43.0, 44.0, 45.0], [2.0, -1.0, 0.5], ["SFL", "SBR", ""], ["crops", "forest", "crops"])


def make_comparison(**changes):
    generator = np.random.default_rng(0)
    time = np.datetime64("2015-01-01T09", "s") + np.arange(300) * np.timedelta64(86400, "s")
    observed = -10 + generator.standard_normal((300, 3))
    observed[generator.random((300, 3)) < 0.2] = np.nan
    noise = generator.standard_normal((300, 3))
    runs = {
        "OL": observed + 0.6 * noise + 0.2,
        "EKF forecast": observed + 0.4 * noise,
        "EKF": observed + np.array([0.3, 0.3, 0.9]) * noise,
    }
    runs["EKF"][:50, 0] = np.nan
    arguments = {"quantity": "sigma0", "units": "dB", "reference": "observations", "time": time} | changes
    return Comparison(observed=observed, runs=runs, **arguments)


def test_station_table_has_the_columns_of_the_paper():
    comparison = make_comparison()
    table = station_table(comparison, "EKF", CELLS, CELLS.stations, SETTINGS)
    assert list(table)[:6] == ["station", "OL RMSD (dB)", "EKF RMSD (dB)", "OL R", "EKF R", "number"]
    assert {"RMSD difference (dB)", "RMSD difference (dB) low", "R difference", "R difference high"} <= set(table)
    assert list(table["station"]) == ["SBR", "SFL"]
    row = table.iloc[1]
    used = np.isfinite(comparison.observed[:, 0]) & np.isfinite(comparison.runs["EKF"][:, 0])
    assert row["number"] == used.sum()
    for run in ("OL", "EKF"):
        expected = np.sqrt(np.mean((comparison.runs[run] - comparison.observed)[used, 0] ** 2))
        assert row[f"{run} RMSD (dB)"] == pytest.approx(expected)
    assert row["RMSD difference (dB)"] == pytest.approx(row["EKF RMSD (dB)"] - row["OL RMSD (dB)"])
    assert row["RMSD difference (dB) low"] < row["RMSD difference (dB)"] < row["RMSD difference (dB) high"] < 0


def test_other_units_leave_only_the_correlation():
    comparison = make_comparison(correlation_only=True)
    for table in (
        station_table(comparison, "EKF", CELLS, [0], SETTINGS),
        summary_table(comparison, SETTINGS),
        soil_moisture_table(comparison, CELLS, [0], SETTINGS),
    ):
        assert not [name for name in table if "RMSD" in name or "bias" in name]
    cells = cell_table([comparison], CELLS, SETTINGS)
    assert cells["RMSD"].isna().all()
    assert cells["R"].notna().all()
    assert class_table(cells)["cells improved"].notna().any()


def test_summary_averages_the_cells_on_common_samples():
    comparison = make_comparison()
    table = summary_table(comparison, SETTINGS).set_index("run")
    assert table["number"].nunique() == 1
    assert table.loc["OL", "number"] == comparison.sample_count
    cells = cell_table([comparison], CELLS, SETTINGS)
    mean = cells[cells["run"] == "EKF forecast"]["RMSD"].mean()
    assert table.loc["EKF forecast", "RMSD (dB)"] == pytest.approx(mean)
    assert np.isnan(table.loc["OL", "RMSD difference (dB)"])
    assert table.loc["EKF forecast", "RMSD difference (dB) high"] < 0


def test_class_table_counts_improved_cells():
    cells = cell_table([make_comparison()], CELLS, SETTINGS)
    table = class_table(cells).set_index(["run", "vegetation class"])
    assert table.loc[("EKF", "crops"), "cells"] == 2
    assert table.loc[("EKF", "crops"), "cells improved"] == 1
    assert table.loc[("EKF", "forest"), "cells improved"] == 1
    assert table.loc[("EKF", "all"), "cells"] == 3
    assert pd.isna(table.loc[("OL", "all"), "cells improved"])
    assert table.loc[("OL", "all"), "RMSD change (%)"] == 0
    assert improved_by_class(cells[cells["run"] == "EKF"]) == "crops 1/2, forest 1/1"


def test_key_rows_say_no_more_than_the_interval():
    comparison = make_comparison()
    summary, cells = summary_table(comparison, SETTINGS), cell_table([comparison], CELLS, SETTINGS)
    rows = key_rows(comparison, summary, cells, {"EKF forecast": "observations", "absent": "observations"}, "RMSD")
    assert [row["run"] for row in rows] == ["EKF forecast"]
    assert rows[0]["reading"] == "better"
    assert judge(-0.1, 0.1, larger_is_better=True) == "not told apart"
    assert judge(0.1, 0.2, larger_is_better=True) == "better"
    assert judge(0.1, 0.2, larger_is_better=False) == "worse"
    assert judge(np.nan, np.nan, larger_is_better=False) == "too few samples"


def test_soil_moisture_table_has_every_run_of_every_station():
    table = soil_moisture_table(make_comparison(quantity="SSM", units="m3 m-3"), CELLS, [1, 0], SETTINGS)
    assert list(table["station"]) == ["SBR"] * 3 + ["SFL"] * 3
    assert list(table["run"])[:3] == ["OL", "EKF forecast", "EKF"]
    assert {"R", "anomaly R", "ubRMSD (m3 m-3)", "R difference low"} <= set(table)
    assert table["anomaly R"].notna().all()
    assert table.loc[table["run"] == "OL", "R difference"].isna().all()


def test_operator_table_compares_on_the_same_samples():
    comparison = make_comparison()
    predictions = {"network": comparison.runs["EKF forecast"], "linear": comparison.runs["OL"].copy()}
    predictions["linear"][:, 2] = np.nan
    table = operator_table(predictions, comparison.observed, comparison.time, "dB", SETTINGS).set_index("operator")
    assert list(table["cells"]) == [2, 2]
    assert table["number"].nunique() == 1
    assert table.loc["linear", "RMSD - network (dB) low"] > 0
    assert np.isnan(table.loc["network", "RMSD - network (dB)"])
    assert table.loc["network", "R low"] < table.loc["network", "R"] < table.loc["network", "R high"]


def test_tables_are_written_whole(tmp_path):
    path = write_table(
        pd.DataFrame({"name": ["a"], "value": [np.pi], "empty": [np.nan]}), tmp_path / "tables" / "a.csv"
    )
    assert path.read_text() == "name,value,empty\na,3.14159,\n"
    assert [file.name for file in path.parent.iterdir()] == ["a.csv"]
