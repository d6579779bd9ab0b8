"""Pairs of soil moisture series at stations, and the published tables beside them."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.comparison import OPEN_LOOP, Comparison
from dalearn.evaluation.joint_findings import find_stations
from dalearn.evaluation.published_soil_moisture import products_beside_published, station_beside_published
from dalearn.evaluation.scatter_figure import ScatterPanel, draw_scatters, linear_fit
from dalearn.evaluation.station_figures import draw_season_boxes, draw_station_series, season_panels, season_values
from dalearn.evaluation.station_scores import IN_SITU, PAIR, pair_table, station_means, station_series
from dalearn.evaluation.station_section import shown_station
from dalearn.evaluation.table_parts import ScoreSettings

TIME = np.arange(np.datetime64("2017-01-01T18", "s"), np.datetime64("2019-01-01"), np.timedelta64(86400, "s"))
CELLS = Cells([43.0, 43.1, 43.2], [4.0, 4.1, 4.2], ["VLV", "", "LGC"], area=["north", "north", "south"])
SETTINGS = ScoreSettings(resamples=40)


@pytest.fixture
def stations():
    """The satellite is 0.05 wetter than the probes with errors of 0.02; the open loop is the probes plus 0.1."""
    generator = np.random.default_rng(0)
    probes = 0.2 + 0.05 * generator.standard_normal((len(TIME), 3))
    satellite = probes + 0.05 + 0.02 * generator.standard_normal(probes.shape)
    satellite[np.arange(len(TIME)) % 6 != 0] = np.nan
    runs = {OPEN_LOOP: probes + 0.1, "both": probes + 0.01 * generator.standard_normal(probes.shape)}
    probes = np.where([True, False, True], probes, np.nan)
    in_situ = Comparison("SSM", "m3 m-3", "in situ", TIME, probes, runs)
    retrieved = Comparison("SSM", "m3 m-3", "S1", TIME, satellite, runs)
    return station_series(in_situ, retrieved, "S1", np.full(probes.shape, 290.0))


def row(table, station, pair, season="all"):
    return table[(table["station"] == station) & (table[PAIR] == pair) & (table["season"] == season)].iloc[0]


def test_scores_of_known_differences(stations):
    table = pair_table(stations, CELLS, SETTINGS, "m3 m-3")
    assert len(table) == 2 * 5 * 5
    model = row(table, "LGC", "OL vs. in situ")
    assert model["R"] == pytest.approx(1.0)
    assert model["MB (m3 m-3)"] == pytest.approx(0.1)
    assert model["ubRMSD (m3 m-3)"] == pytest.approx(0.0, abs=1e-9)
    assert model["N"] == len(TIME[::6])
    satellite = row(table, "VLV", "S1 vs. in situ")
    assert satellite["MB (m3 m-3)"] == pytest.approx(0.05, abs=0.01)
    assert satellite["ubRMSD (m3 m-3)"] == pytest.approx(0.02, rel=0.25)
    assert satellite["R low"] < satellite["R"] < satellite["R high"]
    assert satellite["p-value"] < 1e-10
    assert row(table, "VLV", "S1 vs. OL")["MB (m3 m-3)"] == pytest.approx(-0.05, abs=0.01)
    assert {"both vs. in situ", "S1 vs. both"} < set(table[PAIR])


def test_unbiased_identity(stations):
    table = pair_table(stations, CELLS, SETTINGS, "m3 m-3")
    squares = {name: table[f"{name} (m3 m-3)"] ** 2 for name in ("RMSD", "ubRMSD", "MB")}
    np.testing.assert_allclose(squares["RMSD"], squares["ubRMSD"] + squares["MB"], rtol=1e-9)


def test_seasons_add_up(stations):
    table = pair_table(stations, CELLS, SETTINGS, "m3 m-3")
    counts = table[(table["station"] == "LGC") & (table[PAIR] == "S1 vs. in situ")].set_index("season")["N"]
    assert counts["all"] == counts.drop("all").sum()
    means = station_means(table).set_index([PAIR, "season"])
    assert means.loc[("S1 vs. in situ", "all"), "stations"] == 2
    assert means.loc[("S1 vs. in situ", "JJA"), "stations with p < 0.01"] == 2


def test_cold_samples_are_left_out(stations):
    probes = np.full((len(TIME), 3), 0.3)
    comparison = Comparison("SSM", "m3 m-3", "in situ", TIME, probes, {OPEN_LOOP: probes})
    temperature = np.full(probes.shape, 290.0)
    temperature[:100, 1] = 276.0
    found = station_series(comparison, comparison, "S1", temperature)
    assert found.left_out == 100
    assert np.isnan(found.series[IN_SITU][:100, 1]).all()
    assert np.isfinite(found.series[IN_SITU][100:]).all()
    nowhere = dataclasses.replace(comparison, observed=np.full(probes.shape, np.nan))
    assert station_series(comparison, nowhere, "S1", None) is None


def test_published_numbers_beside_those_of_the_run(stations):
    table = pair_table(stations, CELLS, SETTINGS, "m3 m-3")
    assert shown_station(stations, CELLS.station) == 1
    beside = station_beside_published(table, "S1", "LGC").set_index(PAIR)
    assert beside.loc["S1 vs. OL", "MB (m3 m-3), paper (LGC)"] == -0.145
    assert beside.loc["OL vs. in situ", "R, paper (LGC)"] == 0.87
    assert beside.loc["OL vs. in situ", "MB (m3 m-3), here (LGC)"] == pytest.approx(0.1)
    products = products_beside_published(table, "S1", CELLS, "2017-2018")
    assert products["region, network, period"][:3].tolist() == [
        "north, 2017-2018", "south, 2017-2018", "all stations, 2017-2018"
    ]  # fmt: skip
    assert products["stations"][:3].tolist() == [1, 1, 2]
    assert len(products) == 3 + 11
    assert set(products["source"][3:]) == {"paper"}
    plain = products_beside_published(table, "S1", Cells([43.0] * 3, [4.0] * 3, CELLS.station), "2017-2018")
    assert plain["region, network, period"][0] == "all stations, 2017-2018"
    assert plain["source"][1] == "paper"


def test_findings_at_stations(stations):
    table = pair_table(stations, CELLS, SETTINGS, "m3 m-3")
    significant, better, season = find_stations(table, "S1")
    assert (significant.shown, better.shown) == (True, True)
    lowest = table["season"].eq("JJA") & table[PAIR].eq("S1 vs. in situ")
    assert find_stations(table.assign(R=table["R"].where(~lowest, 0.1)), "S1")[2].shown
    assert not find_stations(table.assign(R=table["R"].where(~lowest, 0.999)), "S1")[2].shown
    assert season.this_run.startswith("median R: DJF")
    bad = table.assign(**{"p-value": 0.5, "R": table["R"].where(table[PAIR] != "OL vs. in situ", 0.0)})
    assert [finding.shown for finding in find_stations(bad, "S1")[:2]] == [False, False]


def test_figures_of_a_station(stations):
    panels = season_panels(stations, 1)
    assert [panel.title for panel in panels] == [
        "a) winter (DJF)", "b) spring (MAM)", "c) summer (JJA)", "d) autumn (SON)"
    ]  # fmt: skip
    assert all(panel.text.startswith("R = 0.9") for panel in panels)
    figure = draw_station_series(stations, 1, "LGC", "m3 m-3")
    assert figure.axes[0].get_ylabel() == "soil moisture (m³ m⁻³)"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["in situ", "open loop", "S1"]
    values = season_values(pair_table(stations, CELLS, SETTINGS, "m3 m-3"), stations)
    assert list(values) == ["S1", "OL", "both"]
    figure = draw_season_boxes(values, "S1", "R")
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()][-1] == "all\n(2)"


def test_linear_fit_and_its_panel():
    x = np.array([0.0, 1.0, 2.0, np.nan])
    assert linear_fit(x, 3.0 - 2.0 * x) == pytest.approx((-2.0, 3.0))
    assert np.isnan(linear_fit(np.ones(4), x)).all()
    groups = {"2018": np.array([True, True, False, False]), "2019": np.array([False, False, True, False])}
    panel = ScatterPanel("a", x, 3.0 - 2.0 * x, "R = −1", groups, {"2018": "#000000"}, fit=True)
    figure = draw_scatters([panel], "x", "y", "title")
    assert figure.axes[0].texts[0].get_text() == "y = −2.00 x + 3.000\nR = −1"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["2018", "2019"]


def test_pairs_without_a_season_are_undefined(stations):
    winter = dataclasses.replace(stations, series={name: np.where((np.arange(len(TIME)) < 60)[:, None], values, np.nan)
                                                   for name, values in stations.series.items()})  # fmt: skip
    table = pair_table(winter, CELLS, SETTINGS, "m3 m-3")
    assert table.loc[table["season"] == "JJA", ["R", "p-value"]].isna().all().all()
    assert isinstance(draw_season_boxes(season_values(table, winter), "S1", "R").axes, list)
    assert not find_stations(table.assign(R=np.nan), "S1")
    assert pd.isna(station_means(table).set_index([PAIR, "season"]).loc[("S1 vs. OL", "JJA"), "R"])
