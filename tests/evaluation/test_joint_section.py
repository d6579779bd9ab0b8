"""The report on soil moisture and LAI assimilated together, on a made-up run and on parts of it."""

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.evaluate import evaluate_run
from dalearn.evaluation.page import EvaluationSettings
from dalearn.evaluation.roles import JointRoles, find_joint_roles
from dalearn.evaluation.run_data import open_run
from dalearn.evaluation.table_parts import ScoreSettings

SETTINGS = EvaluationSettings(scores=ScoreSettings(resamples=20), satellite_name="S1", window_end_hour=18)
CONTRAST = {"year_contrast_WG5", "year_contrast_effect", "year_contrast_scatter"}
MAPS = {"agreement_map_as_retrieved", "agreement_map_alone_as_retrieved", "agreement_map_rescaled"}
STATIONS = {"soil_moisture_series", "soil_moisture_seasons", "soil_moisture_season_boxes"}


@pytest.fixture(scope="module")
def finished(make_joint_run, tmp_path_factory):
    """Three years over two sub-domains of nine cells each, evaluated."""
    row, column = np.divmod(np.arange(18), 3)
    far = np.where(np.arange(18) < 9, 0.0, 0.5)
    use = ["karst"] * 3 + ["sprinkled"] * 3 + ["rain-fed"] * 3 + ["flooded"] * 6 + ["rain-fed"] * 3
    station = ["" if cell not in (1, 10) else {1: "LGC", 10: "PZN"}[cell] for cell in range(18)]
    cells = Cells(
        44.0 + 0.01 * row - far,
        4.0 + 0.01 * column + far,
        station,
        ["crops"] * 18,
        ["ales"] * 9 + ["camargue"] * 9,
        use,
    )
    run = make_joint_run(tmp_path_factory.mktemp("joint") / "run", cells)
    result = evaluate_run(
        run.directory, cells, observations=[run.satellite], in_situ=run.in_situ, root_zone=run.root_zone,
        settings=SETTINGS,
    )  # fmt: skip
    return run, result


def test_everything_is_there(finished):
    _, result = finished
    areas = {"year_contrast_area_ales", "year_contrast_area_camargue"}
    assert CONTRAST | MAPS | STATIONS | areas | {"root_zone_relative_differences"} <= set(result.figures)
    items = pd.read_csv(result.tables["paper_items"]).set_index("item")["here"]
    missing = items[items.str.startswith("not made")]
    assert set(missing.index) == {"Table 1", "Figures 1, 3"}  # neither config.yaml nor a land cover was given
    assert items["Figure 8"] == "figures/year_contrast_WG5.png"
    text = result.report.read_text()
    assert "Corchia" not in text
    assert "true p-value is larger" in text
    assert "Jul 2019 − Jul 2018" in text


def test_statements_are_met_by_the_made_up_run(finished):
    _, result = finished
    statements = pd.read_csv(result.tables["key_statements"])
    of_irrigated = statements[statements["statement"].str.contains("irrigated|all cells|flooded")]
    assert set(of_irrigated["result"].dropna()) == {"pass"}
    assert len(of_irrigated["result"].dropna()) == 7
    assert statements["value low"].notna().all()


def test_tables_fit_together(finished):
    _, result = finished
    pairs = pd.read_csv(result.tables["soil_moisture_pairs"])
    assert set(pairs["station"]) == {"LGC", "PZN"}
    assert set(pairs["comparison"]) >= {"OL vs. in situ", "S1 vs. in situ", "S1 vs. OL", "SSM_LAI vs. in situ"}
    agreement = pd.read_csv(result.tables["agreement_as_retrieved"]).set_index(["land use", "run"])
    assert agreement.loc[("karst", "OL"), "R"] < 0.2 < agreement.loc[("flooded", "OL"), "R"]
    assert agreement.loc[("flooded", "SSM_LAI"), "R difference"] > 0
    scores = pd.read_csv(result.tables["root_zone_relative_scores"]).set_index("run")
    assert scores.loc["SSM_LAI", "RMSD"] < scores.loc["OL", "RMSD"]
    assert len(pd.read_csv(result.tables["soil_moisture_products"])) == 3 + 11


def test_roles_are_told_by_what_is_assimilated(finished):
    with open_run(finished[0].directory, 18) as run:
        roles = find_joint_roles(run)
    assert roles == JointRoles("SSM", "LAI", "SSM_LAI")
    assert roles.concern_paper
    assert not JointRoles("SSM", "LAI").concern_paper
    assert not JointRoles(joint="SSM_LAI").concern_paper
    assert JointRoles("", "LAI", "both").every == ["LAI", "both"]


@pytest.fixture
def copied(finished, tmp_path):
    run, _ = finished
    shutil.copytree(run.directory, tmp_path / "run", ignore=shutil.ignore_patterns("tables", "figures"))
    return dataclasses.replace(run, directory=tmp_path / "run")


def on_a_line(cells):
    """The same without maps, which take their time."""
    return dataclasses.replace(cells, latitude=np.full(cells.count, 43.0))


def rewrite(path, change):
    with xr.open_dataset(path) as dataset:
        changed = change(dataset.load())
    path.unlink()
    changed.to_netcdf(path)


def test_real_data_without_names_of_the_land(copied):
    """No truth, land use, sub-domains, probes at depth, second year: each is said, nothing fails."""
    (copied.directory / "truth.nc").unlink()
    for name in ("open_loop", "analysis"):
        rewrite(copied.directory / f"{name}.nc", lambda dataset: dataset.sel(time="2018"))
    cells = Cells(copied.cells.latitude, copied.cells.longitude, copied.cells.station)
    result = evaluate_run(
        copied.directory, cells, observations=[copied.satellite], in_situ=copied.in_situ, settings=SETTINGS
    )
    said = " ".join(result.missing)
    for part in ("the run has Jul of 2018 only", "no in situ observations of the root zone", "known to be irrigated"):
        assert part in said
    assert set(result.figures) >= MAPS | STATIONS
    assert not CONTRAST & set(result.figures)
    statements = pd.read_csv(result.tables["key_statements"])
    assert len(statements) == 1
    assert "over all cells: SSM over SSM_LAI" in statements["statement"][0]


def test_other_units_leave_only_the_correlation(copied):
    satellite = dataclasses.replace(copied.satellite, units="%", value=100 * copied.satellite.value)
    result = evaluate_run(copied.directory, on_a_line(copied.cells), observations=[satellite], settings=SETTINGS)
    assert "ubRMSD (m3 m-3)" not in pd.read_csv(result.tables["agreement_as_retrieved"])
    statements = pd.read_csv(result.tables["key_statements"])["statement"]
    assert not statements.str.contains("ubRMSD of S1").any()
    assert statements.str.contains("R of S1 with WG2 over the 6 flooded").any()


def test_backscatter_keeps_its_own_report(copied):
    """A run that observes sigma0 is about the other paper, whatever else it assimilates."""

    def add(dataset):
        for name in ("observed", "model_analysis", "model_forecast"):
            dataset[f"sigma0_{name}"] = dataset["LAI"] - 12.0
            dataset[f"sigma0_{name}"].attrs["units"] = "dB"
        return dataset.assign(sigma0_open_loop=dataset["sigma0_observed"][0])

    rewrite(copied.directory / "analysis.nc", add)
    cells = on_a_line(copied.cells)
    result = evaluate_run(copied.directory, cells, observations=[copied.satellite], settings=SETTINGS)
    assert not {"year_contrast", "agreement_as_retrieved", "key_statements"} & set(result.tables)
    assert "Corchia" in result.report.read_text()
