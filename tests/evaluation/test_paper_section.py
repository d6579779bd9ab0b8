"""Roles of the experiments, the domain, the place of the architecture study, and reports on parts of a run."""

import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure

from dalearn.errors import InputError
from dalearn.evaluation.cells import Cells
from dalearn.evaluation.compare import compare_with_wetness
from dalearn.evaluation.domain import Domain, domain_panels
from dalearn.evaluation.evaluate import evaluate_run
from dalearn.evaluation.page import EvaluationSettings, Page
from dalearn.evaluation.report import Report
from dalearn.evaluation.roles import Roles, find_roles
from dalearn.evaluation.run_data import open_run
from dalearn.evaluation.study_section import add_studies
from dalearn.evaluation.table_parts import ScoreSettings

SETTINGS = EvaluationSettings(scores=ScoreSettings(resamples=20))


@pytest.fixture(scope="module")
def small_run(make_run, tmp_path_factory):
    """Two cells without a truth."""
    cells = Cells([43.0, 43.25], [1.0, 1.25], ["CDM", ""], ["crops", "forest"])
    return make_run(tmp_path_factory.mktemp("small") / "run", cells, days=120, twin=False)


def edit(path, change):
    with xr.open_dataset(path) as dataset:
        changed = change(dataset.load())
    path.unlink()
    changed.to_netcdf(path)


@pytest.fixture
def copied_run(small_run, tmp_path):
    shutil.copytree(small_run.directory, tmp_path / "run")
    return tmp_path / "run"


def make_page(directory):
    return Page(directory, Cells([43.0], [1.0]), SETTINGS, Report("title"))


def test_roles_are_told_by_what_is_assimilated(small_run):
    with open_run(small_run.directory, 2) as run:
        assert find_roles(run) == Roles(("EKF",), "EKF_SWI_LAI")


def test_an_experiment_with_everything_has_no_role(copied_run):
    def mix(dataset):
        for name in ("LAI", "SSM"):
            dataset[f"{name}_departure"][0] = dataset[f"{name}_departure"][1]
        return dataset.assign_coords(experiment=["all", "leaves"])

    edit(copied_run / "analysis.nc", mix)
    with open_run(copied_run, 2) as run:
        assert find_roles(run) == Roles((), "leaves")


def test_no_analysis_has_no_roles(copied_run):
    (copied_run / "analysis.nc").unlink()
    with open_run(copied_run, 2) as run:
        assert find_roles(run) == Roles()


def test_a_real_run_states_what_it_can(small_run):
    result = evaluate_run(small_run.directory, small_run.cells, settings=SETTINGS)
    statements = pd.read_csv(result.tables["key_statements"])
    assert list(statements["result"].fillna("")) == ["pass", ""]
    items = pd.read_csv(result.tables["paper_items"]).set_index("item")["here"]
    assert items["Figure 9"] == "not made: needs in situ soil moisture"
    assert items["Table 3"] == "tables/sigma0_stations_EKF.csv"
    assert items["Figure 7"] == "figures/series_CDM.png"
    assert pd.read_csv(result.tables["sigma0_published_EKF"])["station"].tolist() == ["CDM"]


def test_a_run_without_backscatter_says_nothing_of_the_paper(copied_run):
    def drop(dataset):
        return dataset.drop_vars([name for name in dataset if "sigma0" in str(name)])

    edit(copied_run / "analysis.nc", drop)
    cells = Cells([43.0, 43.25], [1.0, 1.25])
    result = evaluate_run(copied_run, cells, settings=SETTINGS)
    assert not {"key_statements", "paper_items", "paper_findings"} & set(result.tables)


def test_sigma0_that_nobody_assimilated(copied_run):
    edit(copied_run / "analysis.nc", lambda dataset: dataset.isel(experiment=[1]).drop_vars("sigma0_departure"))
    edit(copied_run / "analysis.nc", lambda data: data.assign(sigma0_observed=data["sigma0_model_analysis"] + 0.3))
    result = evaluate_run(copied_run, Cells([43.0, 43.25], [1.0, 1.25]), settings=SETTINGS)
    assert "key_statements" not in result.tables
    assert any(sentence.startswith("Statements on") for sentence in result.missing)
    assert "paper_items" in result.tables


def test_wetness_is_compared_by_correlation_alone(small_run):
    small_run.satellite.units = "%"
    with open_run(small_run.directory, 2) as run:
        compared = compare_with_wetness(run, small_run.satellite, 12.0)
        assert compared.correlation_only
        assert list(compared.runs) == ["OL", "EKF", "EKF_SWI_LAI"]
        assert compare_with_wetness(run, None, 12.0).endswith("no observations were given.")
        late = np.datetime64("2040-01-01", "s")
        assert "no sample" in compare_with_wetness(
            run, type(small_run.satellite)(**{**vars(small_run.satellite), "time": np.full(240, late)}), 12.0
        )


def test_domain_leaves_out_what_is_not_there():
    covers = {"C3 crops": np.array([0.2, 0.9]), "C4 crops": np.zeros(2)}
    panels = domain_panels(Domain(np.array([100.0, np.nan]), covers))
    assert [panel.title for panel in panels] == ["a) altitude", "b) C3 crops"]
    assert panels[1].span == (0.0, 1.0)
    assert [panel.title for panel in domain_panels(Domain(None, covers))] == ["a) C3 crops"]


def test_studies_are_shown_where_they_are(tmp_path):
    page = make_page(tmp_path)
    add_studies(page)
    assert not page.tables
    assert not page.missing
    (tmp_path / "tables").mkdir()
    pd.DataFrame({"layers": [1, 2], "RMSD (dB)": [0.33, 0.35]}).to_csv(tmp_path / "tables" / "architecture_study.csv")
    Figure(figsize=(1, 1)).savefig(tmp_path / "operator_study.png")
    (tmp_path / "figures").mkdir()
    (tmp_path / "operator_study.png").rename(tmp_path / "figures" / "operator_study.png")
    page = make_page(tmp_path)
    add_studies(page)
    assert set(page.tables) == {"architecture_study"}
    assert set(page.figures) == {"operator_study"}
    text = page.report.html()
    assert "0.350" in text
    assert text.index("Architectures") < text.index("Operators side by side")
    (tmp_path / "tables" / "architecture_study.csv").write_text("")
    with pytest.raises(InputError, match=r"architecture_study.csv: not a table"):
        add_studies(make_page(tmp_path))
