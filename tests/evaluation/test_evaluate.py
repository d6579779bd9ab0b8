import dataclasses
import json
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from dalearn.errors import InputError
from dalearn.evaluation.cells import Cells
from dalearn.evaluation.compare import ROOT_ZONE, compare_with_observations, compare_with_truth, root_zone
from dalearn.evaluation.domain import Domain
from dalearn.evaluation.evaluate import evaluate_run
from dalearn.evaluation.neutralised import ALL, NeutralisedTest
from dalearn.evaluation.operator_test import OperatorTest, read_operator_test, write_operator_test
from dalearn.evaluation.page import EvaluationSettings
from dalearn.evaluation.run_data import open_run
from dalearn.evaluation.table_parts import ScoreSettings

SETTINGS = EvaluationSettings(scores=ScoreSettings(resamples=60))
CLASSES = ["crops", "forest", "grass", "crops", "forest", "grass", "crops", "forest", "grass"]


@pytest.fixture(scope="module")
def twin(make_run, tmp_path_factory):
    """A finished run of nine cells with its truth, evaluated."""
    row, column = np.divmod(np.arange(9), 3)
    station = ["", "SBR", "", "URG", "", "", "", "", "PRD"]
    cells = Cells(43.0 + 0.25 * row, 0.25 * column, station, CLASSES)
    run = make_run(tmp_path_factory.mktemp("twin") / "demo", cells, days=240)
    (run.directory / "config.yaml").write_text("name: demo\n")
    provenance = {"versions": {"dalearn": "0.1.0"}, "commit": "abc", "inputs": [{"path": "x.nc", "bytes": 7}]}
    (run.directory / "provenance.json").write_text(json.dumps(provenance))
    test = OperatorTest("sigma0", "dB", run.time, run.observed, run.prediction)
    write_operator_test(test, run.directory / "operator_test.nc")
    curves = {f"{name}_rmsd": (("epoch", "cell"), np.geomspace(1, 0.3, 90).reshape(10, 9), {"units": "dB"})
              for name in ("training", "validation")}  # fmt: skip
    xr.Dataset(curves).to_netcdf(run.directory / "training.nc")
    operator = xr.Dataset(
        {"trained": ("cell", np.ones(9, dtype=bool)), "predictor_mean": ("cell", np.zeros(9)),
         "predictor_std": ("cell", np.ones(9))},
        coords={"predictor": ["WG2", "TG2", "LAI"]},
        attrs={"operator": "network", "operator_options": json.dumps({"hidden_layers": 1, "hidden_units": 40}),
               "training_settings": json.dumps({"epochs": 90}), "training_period": "2014 to 2015"},
    )  # fmt: skip
    operator.to_netcdf(run.directory / "operator.nc")
    noisy = {name: run.prediction["network"] + 0.1 * number for number, name in enumerate((ALL, "TG2", "LAI", "WG2"))}
    neutralised = [NeutralisedTest(period, "sigma0", "dB", run.time, run.observed, noisy)
                   for period in ("training", "test")]  # fmt: skip
    radar = dataclasses.replace(run.satellite, quantity="sigma0", units="dB", error=np.full(run.observed.size, 0.33),
                                value=run.observed.ravel())  # fmt: skip
    agreement = {"agreement": {"WG2": {"max_rel": 1e-4, "median_rel": 1e-7, "kink_share": 0.0}}, "columns": 36,
                 "cost": {"autograd": {"seconds": 1.0, "forward_runs": 1.0, "peak_memory_bytes": None}}}  # fmt: skip
    result = evaluate_run(
        run.directory, cells, observations=[run.satellite, radar], in_situ=run.in_situ, jacobian_comparison=agreement,
        neutralised=neutralised, domain=Domain(100.0 + np.arange(9.0), {"C3 crops": np.linspace(0, 1, 9)}),
        warnings=["3 <excursions>"], title="Demo", settings=SETTINGS,
    )  # fmt: skip
    return run, result


def test_twin_has_all_figures_tables_and_a_report(twin):
    run, result = twin
    assert not result.missing
    expected = {
        "operator_test_sigma0", "operators", "training", "increments", "innovations_sigma0", "jacobian_sigma0_EKF",
        "gain_sigma0_EKF", "gain_LAI_EKF_SWI_LAI", "consistency_by_month",
        "neutralised_sigma0", "domain", "sigma0_map_EKF", "LAI_map_EKF", "SSM_correlation_difference",
        "SSM_in_situ_monthly", "truth_LAI", "truth_SSM",
    }  # fmt: skip
    assert expected <= set(result.figures)
    assert [name for name in result.figures if name.startswith("series_")]
    for files, folder, suffix in ((result.figures, "figures", ".png"), (result.tables, "tables", ".csv")):
        written = {path.name for path in (run.directory / folder).iterdir()}
        assert written == {f"{name}{suffix}" for name in files}
    text = result.report.read_text()
    assert result.report == run.directory / "report.html"
    assert text.count("<img ") == len(result.figures)
    assert "3 &lt;excursions&gt;" in text
    assert "http" not in text.split("base64", 1)[0]


def test_the_paper_is_stated_and_every_item_has_its_file(twin):
    run, result = twin
    statements = pd.read_csv(result.tables["key_statements"])
    assert list(statements["result"].fillna("")) == ["pass", "pass", "", "pass", "pass", "", "pass"]
    assert statements["value"][1] == 9
    assert statements["mark"][3] == "all 3"
    assert statements["value"][4] < 0
    items = pd.read_csv(result.tables["paper_items"]).set_index("item")["here"]
    assert [item for item in items.index if "not made" in items[item]] == ["Table 1", "Figure 2"]
    files = [file for text in items for file in text.split(", ") if file.startswith(("tables/", "figures/"))]
    assert len(files) >= 12
    assert all((run.directory / file).exists() for file in files)
    findings = pd.read_csv(result.tables["paper_findings"]).set_index("item")
    assert findings.loc["Table 3", "this run"] == "RMSD lower at 3 of 3, R higher at 3 of 3"
    text = result.report.read_text()
    summary = text.split('class="summary"', 1)[1].split("</div>", 1)[0]
    assert "Key statements" in summary


def test_tables_of_the_twin_agree_with_the_files(twin):
    run, result = twin
    stations = pd.read_csv(result.tables["sigma0_stations_EKF"])
    assert list(stations["station"]) == ["URG", "SBR", "PRD"]
    with xr.open_dataset(run.directory / "analysis.nc") as analysis:
        cell = 3
        observed = analysis["sigma0_observed"].sel(experiment="EKF").isel(cell=cell).values.astype(float)
        flag = analysis["sigma0_rejected"].sel(experiment="EKF").isel(cell=cell).values
        observed[(flag != 0) & (flag != 6)] = np.nan
        model = analysis["sigma0_model_analysis"].sel(experiment="EKF").isel(cell=cell).values
        rmsd = np.sqrt(np.nanmean((model - observed) ** 2))
    assert stations["EKF RMSD (dB)"][0] == pytest.approx(rmsd, rel=1e-4)
    assert stations["number"][0] == np.isfinite(observed).sum()
    assert (stations["RMSD difference (dB)"] < 0).all()
    classes = pd.read_csv(result.tables["twin_classes"]).set_index(["quantity", "run", "vegetation class"])
    assert classes.loc[("LAI", "EKF", "crops"), "cells improved"] == 3
    assert classes.loc[("LAI", "EKF", "crops"), "RMSD change (%)"] == pytest.approx(-60.0, abs=1.0)
    counts = pd.read_csv(result.tables["observation_counts"])
    assert list(counts["observations"]) == ["radar", "SWI", "LAI"]
    left_out, rejected = (
        counts[[name for name in counts if name.startswith(start)]].sum(axis=1) for start in ("left out", "rejected")
    )
    assert (left_out == 12).all()
    assert (rejected[:2] > 0).all()
    assert (counts["read"] == left_out + counts["matched"]).all()
    assert (counts["matched"] == rejected + counts["assimilated"]).all()
    diagnostics = pd.read_csv(result.tables["filter_diagnostics"]).set_index(["experiment", "quantity"])
    assert list(diagnostics.index) == [
        ("EKF", "sigma0"), ("EKF_SWI_LAI", "LAI"), ("EKF_SWI_LAI", "SSM"), ("EKF_SWI_LAI", "all")
    ]  # fmt: skip
    assimilated = counts.set_index("observations")["assimilated"]
    assert diagnostics.loc[("EKF", "sigma0"), "number"] == assimilated["radar"]
    assert diagnostics.loc[("EKF_SWI_LAI", "all"), "number"] == assimilated["SWI"] + assimilated["LAI"]
    monthly = pd.read_csv(result.tables["filter_diagnostics_monthly"])
    signal = monthly.groupby(["experiment", "quantity"])["degrees of freedom for signal"].sum()
    for key, total in signal.items():
        assert total == pytest.approx(diagnostics.loc[key, "degrees of freedom for signal"], rel=1e-5)


def test_an_analysis_of_an_older_version_is_evaluated(make_run, tmp_path):
    cells = Cells([43.0, 44.0], [1.0, 1.0])
    run = make_run(tmp_path / "run", cells, days=90, current=False)
    result = evaluate_run(run.directory, cells, settings=SETTINGS)
    sentences = [text for text in result.missing if text.startswith("analysis.nc")]
    assert len(sentences) == 2
    assert "observation_count" in sentences[0]
    assert "older version" in sentences[1]
    assert not [name for name in result.figures if name.startswith(("gain", "consistency"))]
    diagnostics = pd.read_csv(result.tables["filter_diagnostics"])
    assert (diagnostics["observation error diagnosed"] > 0).all()
    assert "observation error ratio" not in diagnostics
    counts = pd.read_csv(result.tables["observation_counts"])
    rejected = counts[[name for name in counts if name.startswith("rejected")]].sum(axis=1)
    assert (counts["matched"] == rejected + counts["assimilated"]).all()
    assert "read" not in counts


def test_a_quantity_at_several_times_of_a_window(make_run, tmp_path):
    cells = Cells([43.0, 44.0], [1.0, 1.0])
    run = make_run(tmp_path / "run", cells, days=90)
    with xr.open_dataset(run.directory / "analysis.nc") as analysis:
        first = {name: name.replace("sigma0", "sigma0_at_6h") for name in analysis if "sigma0" in name}
        changed = analysis.load().assign({new: analysis[name] for name, new in first.items()})
        changed["observation_count"][0, 0] *= 2
    changed.to_netcdf(run.directory / "analysis.nc")
    result = evaluate_run(run.directory, cells, settings=SETTINGS)
    diagnostics = pd.read_csv(result.tables["filter_diagnostics"]).set_index(["experiment", "quantity"])
    both = diagnostics.loc[[("EKF", "sigma0"), ("EKF", "sigma0_at_6h")]]
    assert both["number"].nunique() == 1
    assert diagnostics.loc[("EKF", "all"), "number"] == both["number"].sum()
    counts = pd.read_csv(result.tables["observation_counts"]).set_index("observations").loc["radar"]
    assert counts["assimilated"] == both["number"].sum()
    assert counts["matched"] == counts["assimilated"] + counts["rejected: frozen"] + counts["rejected: departure"]
    assert {"gain_sigma0_EKF", "gain_sigma0_at_6h_EKF", "jacobian_sigma0_at_6h_EKF"} <= set(result.figures)


def test_key_numbers_tell_forecast_from_assimilated(twin):
    _, result = twin
    key = pd.read_csv(result.tables["key_numbers"]).set_index(["quantity", "run", "against"])
    assert ("sigma0", "EKF forecast", "observations") in key.index
    assert ("sigma0", "EKF analysis", "assimilated observations") in key.index
    assert ("LAI", "EKF analysis", "observations") in key.index
    assert ("LAI", "EKF analysis", "truth") in key.index
    assert key.loc[("LAI", "EKF analysis", "truth"), "reading"] == "better"


def test_observations_are_accounted_for(twin):
    _, result = twin
    table = pd.read_csv(result.tables["observations"])
    assert (table["read"] == table["kept"] + table["bad flag"]).all()
    assert table["bad flag"].max() == 3


def test_scores_made_by_training_are_shown_instead(make_run, tmp_path):
    cells = Cells([43.0], [1.0])
    run = make_run(tmp_path / "run", cells, days=40)
    (run.directory / "analysis.nc").unlink()
    columns = {f"{score}{end}": [0.28, 0.33] for score in ("RMSD (dB)", "R") for end in ("", " low", " high")}
    scores = pd.DataFrame({"operator": ["network, mean of 5 seeds", "linear"], "number": [30, 30], **columns})
    test = OperatorTest("sigma0", "dB", run.time, run.observed, run.prediction)
    result = evaluate_run(run.directory, cells, operator_test=test, operator_scores=scores, settings=SETTINGS)
    assert list(pd.read_csv(result.tables["operators"])["operator"]) == list(scores["operator"])
    assert "operator network, mean of 5 seeds, test period, 30 observations in 1 cell" in result.report.read_text()


def test_single_cell_of_real_data(make_run, tmp_path):
    cells = Cells([19.79], [-155.33], ["PuaAkala"], ["grass"])
    run = make_run(tmp_path / "puaakala", cells, days=240, twin=False)
    test = OperatorTest("sigma0", "dB", run.time, run.observed, run.prediction)
    result = evaluate_run(run.directory, cells, in_situ=run.in_situ, operator_test=test, settings=SETTINGS)
    assert {"sigma0_scores", "LAI_scores", "operator_test_sigma0", "series_PuaAkala", "SSM_in_situ_monthly"} <= set(
        result.figures
    )
    assert not [name for name in result.figures if "map" in name or "truth" in name]
    text = result.report.read_text()
    assert "config.yaml is not there" in text
    in_situ = pd.read_csv(result.tables["SSM_in_situ_stations"]).set_index("run")
    assert in_situ.loc["EKF", "R"] > in_situ.loc["OL", "R"]


def test_saturated_probes_are_named(make_run, tmp_path):
    cells = Cells([19.79], [-155.33], ["PuaAkala"])
    run = make_run(tmp_path / "run", cells, days=60)
    (run.directory / "analysis.nc").unlink()
    run.in_situ.value[::4] = 0.6
    run.in_situ.value[1::4] = 0.6
    run.in_situ.value[2::4] = 0.6
    result = evaluate_run(run.directory, cells, in_situ=run.in_situ, settings=SETTINGS)
    assert "PuaAkala: the probe stands at its highest value (0.600)" in result.report.read_text()


def test_open_loop_alone_is_evaluated(make_run, tmp_path):
    cells = Cells([43.0, 43.25], [1.0, 1.25], ["SFL", ""])
    run = make_run(tmp_path / "open", cells, days=200)
    (run.directory / "analysis.nc").unlink()
    (run.directory / "truth.nc").unlink()
    result = evaluate_run(run.directory, cells, in_situ=run.in_situ, settings=SETTINGS)
    assert {"SSM_in_situ_summary", "open_loop"} <= set(result.tables)
    assert any("analysis.nc is not there" in sentence for sentence in result.missing)
    assert any("sigma0: no observations" in sentence for sentence in result.missing)


def test_nothing_but_an_analysis(make_run, tmp_path):
    cells = Cells([43.0], [1.0])
    run = make_run(tmp_path / "analysis", cells, days=200)
    for name in ("open_loop.nc", "truth.nc"):
        (run.directory / name).unlink()
    result = evaluate_run(run.directory, cells, settings=SETTINGS)
    assert "sigma0_summary" in result.tables
    assert any("open_loop.nc is not there" in sentence for sentence in result.missing)


def test_clear_errors(make_run, tmp_path):
    cells = Cells([43.0], [1.0])
    with pytest.raises(InputError, match=r"neither open_loop.nc nor analysis.nc"):
        evaluate_run(tmp_path, cells)
    run = make_run(tmp_path / "run", Cells([43.0, 43.25], [1.0, 1.25]), days=30)
    with pytest.raises(InputError, match=r"open_loop.nc: dimension cell has 2 entries, the run has 1"):
        evaluate_run(run.directory, cells)
    assert not (run.directory / "report.html").exists()


def edit(path, change):
    with xr.open_dataset(path) as dataset:
        changed = change(dataset.load())
    path.unlink()
    changed.to_netcdf(path)


def test_departure_rejections_stay_in_the_scores_and_others_do_not(make_run, tmp_path):
    run = make_run(tmp_path / "run", Cells([43.0], [1.0]), days=60)
    with open_run(run.directory, 1) as data:
        kept = np.isfinite(data.observed("sigma0")[:, 0])
        flag = data.of_experiment("sigma0_rejected", "EKF")[:, 0]
    assert not kept[:2].any()
    assert kept[flag == 6].all()
    assert kept[flag == 0].all()


def test_state_replaces_missing_equivalents_for_all_runs(make_run, tmp_path):
    """EKF stores no SSM equivalent, so every run is compared by its WG2, the open loop included."""
    run = make_run(tmp_path / "run", Cells([43.0], [1.0]), days=60)
    edit(run.directory / "analysis.nc", lambda dataset: dataset.assign(SSM_open_loop=dataset["SSM_open_loop"] + 100.0))
    with open_run(run.directory, 1) as data:
        comparison = compare_with_observations(data, "SSM", None, 12.0)
        wg2 = data.of_experiment("WG2", "EKF")
    np.testing.assert_allclose(comparison.runs["EKF"], wg2)
    assert np.nanmax(comparison.runs["OL"]) < 1.0
    assert not comparison.correlation_only
    assert list(comparison.runs) == ["OL", "EKF forecast", "EKF", "EKF_SWI_LAI forecast", "EKF_SWI_LAI"]


def test_observations_beside_the_run_are_used_when_none_were_assimilated(make_run, tmp_path):
    run = make_run(tmp_path / "run", Cells([43.0], [1.0]), days=60)
    edit(run.directory / "analysis.nc", lambda dataset: dataset.drop_vars("SSM_observed"))
    run.satellite.units = "%"
    with open_run(run.directory, 1) as data:
        assert isinstance(compare_with_observations(data, "SSM", None, 12.0), str)
        comparison = compare_with_observations(data, "SSM", run.satellite, 12.0)
    assert comparison.correlation_only
    np.testing.assert_allclose(comparison.observed[:, 0], run.satellite.value)


def test_root_zone_weights_the_layers_by_thickness(make_run, tmp_path):
    run = make_run(tmp_path / "run", Cells([43.0], [1.0]), days=30)

    def fill(dataset):
        for layer in range(2, 9):
            dataset[f"WG{layer}"] = xr.full_like(dataset[f"WG{layer}"], np.nan if layer > 4 else 0.1 * layer)
        return dataset

    edit(run.directory / "truth.nc", fill)
    with open_run(run.directory, 1) as data:
        expected = (0.03 * 0.2 + 0.06 * 0.3 + 0.10 * 0.4) / 0.19
        np.testing.assert_allclose(root_zone(data, "truth"), expected, rtol=1e-5)
        assert compare_with_truth(data, ROOT_ZONE).quantity == ROOT_ZONE


def test_open_loop_at_other_times_is_an_error(make_run, tmp_path):
    run = make_run(tmp_path / "run", Cells([43.0], [1.0]), days=30)
    edit(
        run.directory / "open_loop.nc",
        lambda dataset: dataset.assign_coords(time=dataset["time"] + np.timedelta64(4000, "D")),
    )
    with open_run(run.directory, 1) as data, pytest.raises(InputError, match=r"open_loop.nc: time: no overlap"):
        data.of_state("open_loop", "WG2")


def test_operator_test_survives_the_disk(tmp_path):
    time = np.array(["2015-01-01T09", "2015-01-02T09"], dtype="datetime64[s]")
    observed = np.array([[-10.0], [np.nan]])
    test = OperatorTest("sigma0", "dB", time, observed, {"network": observed + 1, "linear": observed - 1})
    path = write_operator_test(test, tmp_path / "operator_test.nc")
    again = read_operator_test(path)
    assert list(again.predictions) == ["network", "linear"]
    assert again.units == "dB"
    np.testing.assert_array_equal(again.time, time)
    np.testing.assert_array_equal(again.predictions["network"], observed + 1)
    edit(path, lambda dataset: dataset.drop_vars("sigma0_predicted"))
    with pytest.raises(InputError, match="sigma0_predicted"):
        read_operator_test(path)


def test_package_import_loads_no_matplotlib():
    code = "import sys, dalearn, dalearn.evaluation; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_the_paper_s_size_takes_less_than_two_minutes(make_run, tmp_path):
    """247 cells on the grid of the paper, four years of daily windows, twelve stations, default number of resamples."""
    row, column = np.divmod(np.arange(384), 24)
    chosen = np.random.default_rng(0).permutation(384)[:247]
    station = [f"ST{number}" if number < 12 else "" for number in range(247)]
    cells = Cells(42.125 + 0.25 * row[chosen], -1.875 + 0.25 * column[chosen], station, (CLASSES * 28)[:247])
    run = make_run(tmp_path / "run", cells, days=1461)
    radar = dataclasses.replace(run.satellite, quantity="sigma0", units="dB", error=np.full(run.observed.size, 0.33),
                                value=run.observed.ravel())  # fmt: skip
    noisy = {name: run.prediction["network"] + 0.1 * number for number, name in enumerate((ALL, "TG2", "LAI", "WG2"))}
    neutralised = [NeutralisedTest("test", "sigma0", "dB", run.time, run.observed, noisy)]
    test = OperatorTest("sigma0", "dB", run.time, run.observed, run.prediction)
    begin = time.process_time()
    result = evaluate_run(
        run.directory, cells, observations=[run.satellite, radar], in_situ=run.in_situ, operator_test=test,
        neutralised=neutralised,
    )  # fmt: skip
    assert time.process_time() - begin < 120.0
    assert len(pd.read_csv(result.tables["key_statements"])) == 7
