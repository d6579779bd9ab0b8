"""The networks: training, skill on plots they have not seen, inputs they must refuse, and their file."""

import netCDF4
import numpy as np
import pytest
import torch

from dalearn.errors import InputError
from dalearn.retrieval.database import DatabaseSettings, make_database
from dalearn.retrieval.inversion import (
    DRY,
    DRY_LIMIT,
    NONE,
    QUALITY,
    WET,
    WET_LIMIT,
    InversionSettings,
    class_of,
    train_inversion,
)
from dalearn.retrieval.inversion_file import load_inversion, save_inversion
from dalearn.retrieval.levenberg_marquardt import fit, initial_weights, jacobian
from dalearn.retrieval.skill import skill_table

COVERS = DatabaseSettings(samples=6000)


@pytest.fixture(scope="module")
def inversion():
    return train_inversion(make_database(COVERS), COVERS, InversionSettings(starts=1, iterations=30))


def test_database_is_seeded_and_within_its_ranges():
    first, again = make_database(COVERS), make_database(COVERS)
    torch.testing.assert_close(first.observed, again.observed, rtol=0, atol=0)
    other = make_database(DatabaseSettings(samples=6000, seed=2))
    assert not torch.equal(first.moisture, other.moisture)
    assert 0.02 <= first.moisture.min() < 0.03
    assert 0.39 < first.moisture.max() <= 0.40
    assert first.rms_height.min() >= 0.5
    assert first.rms_height.max() <= 4.0


def test_noise_has_the_stated_size():
    noisy = make_database(COVERS)
    clean = make_database(DatabaseSettings(samples=6000, noise_VV=0.0, noise_VH=0.0, noise_NDVI=0.0))
    difference = (noisy.observed - clean.observed).std(dim=0)
    assert difference[:2].tolist() == pytest.approx([0.7, 1.0], rel=0.04)
    assert float(((noisy.observed[:, 2] / clean.observed[:, 2]) - 1.0).std()) == pytest.approx(0.15, rel=0.04)
    torch.testing.assert_close(noisy.observed[:, 3], clean.observed[:, 3], rtol=0, atol=0)


def test_jacobian_is_that_of_autograd():
    weights = initial_weights(3, 5, torch.Generator().manual_seed(1))
    scores = torch.randn(4, 3, dtype=torch.float64)
    output, derivatives = jacobian(weights, scores)
    reference = torch.autograd.functional.jacobian(
        lambda step: weights.moved(step)(scores), torch.zeros(len(weights.flat()), dtype=torch.float64)
    )
    torch.testing.assert_close(derivatives, reference)
    torch.testing.assert_close(output, weights(scores))


def test_levenberg_marquardt_learns_a_function_that_a_network_can_hold():
    generator = torch.Generator().manual_seed(2)
    teacher = initial_weights(2, 3, generator)
    scores = torch.randn(400, 2, dtype=torch.float64, generator=generator)
    target = 5.0 * teacher(scores)
    _, history = fit(initial_weights(2, 6, generator), scores, target, (scores, target), 60)
    costs, errors = zip(*history, strict=True)
    assert list(costs) == sorted(costs, reverse=True)
    assert min(errors) < 1e-5 * errors[0]


def test_skill_on_plots_it_has_not_seen(inversion):
    """About 0.05 m3 m-3 without knowledge, less with the class, more where the class is wrong, no bias."""
    rows = skill_table(inversion, make_database(DatabaseSettings(samples=6000, seed=77)))
    found = {(row["a_priori"], row["plots"]): row for row in rows}
    alone, known = found["none", "all"], found["true class", "all"]
    assert alone["RMSE"] < 0.053
    assert known["RMSE"] < 0.044 < alone["RMSE"]
    assert abs(alone["bias"]) < 0.004
    assert found["true class but for 20 %", "all"]["RMSE"] > alone["RMSE"]
    assert alone["told_error"] == pytest.approx(alone["RMSE"], rel=0.1)
    assert found["none", "NDVI 0.5-0.75"]["RMSE"] > found["none", "NDVI 0-0.25"]["RMSE"]


def test_wetter_scenes_are_retrieved_wetter(inversion):
    scene = torch.tensor([[sigma0, 0.3, 38.0] for sigma0 in (-16.0, -13.0, -10.0, -8.0)], dtype=torch.float64)
    moisture, error, code = inversion(scene)
    assert bool((moisture.diff() > 0.02).all())
    assert code.tolist() == [0, 0, 0, 0]
    assert bool((error > 0.0).all())


def test_told_error_is_that_of_the_retrieved_moisture(inversion):
    """Drier retrievals are surer, as the backscatter saturates with moisture; in every class the error told holds."""
    test = make_database(DatabaseSettings(samples=6000, seed=78))
    moisture, told, code = inversion(test.predictors(inversion.predictors))
    found, claimed = [], []
    for low, high in ((0.0, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4)):
        inside = (code == 0) & (moisture >= low) & (moisture < high)
        found.append(float((moisture - test.moisture)[inside].square().mean().sqrt()))
        claimed.append(float(told[inside].square().mean().sqrt()))
    assert claimed == pytest.approx(found, rel=0.15)
    assert found[0] < 0.6 * found[2]


def test_what_is_not_retrieved(inversion):
    nan = float("nan")
    scene = torch.tensor(
        [[nan, 0.3, 38.0], [-12.0, 0.9, 38.0], [-12.0, 0.3, 50.0], [10.0, 0.3, 38.0], [-60.0, 0.3, 38.0]],
        dtype=torch.float64,
    )
    moisture, error, code = inversion(scene)
    assert [QUALITY[number] for number in code.tolist()] == [
        "missing", "ndvi_out_of_range", "incidence_out_of_range", "sigma0_out_of_range", "sigma0_out_of_range",
    ]  # fmt: skip
    assert bool(torch.isnan(moisture).all())
    assert bool(torch.isnan(error).all())


def test_a_priori_keeps_the_moisture_in_its_class(inversion):
    scene = torch.tensor([[-19.0, 0.2, 40.0], [-12.0, 0.2, 40.0], [-7.0, 0.2, 40.0]], dtype=torch.float64)
    dry, _, _ = inversion(scene, torch.full((3,), DRY))
    wet, _, _ = inversion(scene, torch.full((3,), WET))
    assert bool((dry <= DRY_LIMIT).all())
    assert bool((wet >= WET_LIMIT).all())
    mixed, _, _ = inversion(scene, torch.tensor([DRY, NONE, WET]))
    torch.testing.assert_close(mixed[[0, 2]], torch.stack([dry[0], wet[2]]))
    with pytest.raises(InputError, match=r"0 to 2 \(none, dry, wet\)"):
        inversion(scene, torch.tensor([0, 1, 3]))


def test_classes_of_true_moisture():
    moisture = torch.tensor([0.10, 0.22, 0.22, 0.30])
    coin = torch.tensor([True, True, False, False])
    assert class_of(moisture, coin).tolist() == [DRY, WET, DRY, WET]


def test_file_gives_the_same_numbers_and_can_be_read_by_others(inversion, tmp_path):
    path = tmp_path / "retrieval.nc"
    save_inversion(inversion, path, {"database": {"seed": 1}})
    scene = make_database(DatabaseSettings(samples=200, seed=5)).predictors(inversion.predictors)
    loaded = load_inversion(path)
    for ours, theirs in zip(inversion(scene), loaded(scene), strict=True):
        torch.testing.assert_close(theirs, ours, rtol=0, atol=0, equal_nan=True)
    assert path.stat().st_size < 200_000
    with netCDF4.Dataset(path) as dataset:  # the formula in the file, without this package
        v = {name: np.asarray(dataset[name][:]) for name in dataset.variables}
    z = (np.array([-11.0, 0.4, 39.0]) - v["predictor_mean"]) / v["predictor_std"]
    score = v["b2"][0] + v["W2"][0] @ np.tanh(z @ v["W1"][0] + v["b1"][0])
    expected = v["target_mean"][0] + v["target_std"][0] * score
    assert loaded(torch.tensor([-11.0, 0.4, 39.0]))[0].item() == pytest.approx(expected, rel=1e-6)


def test_foreign_and_damaged_files(inversion, tmp_path):
    path = tmp_path / "retrieval.nc"
    with netCDF4.Dataset(path, "w") as dataset:
        dataset.createDimension("x", 1)
    with pytest.raises(InputError, match="not an inversion"):
        load_inversion(path)
    save_inversion(inversion, path)
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["W1"][0, 0, 0] = np.nan
    with pytest.raises(InputError, match="W1 holds NaN"):
        load_inversion(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DatabaseSettings(samples=0), "samples is 0"),
        (lambda: DatabaseSettings(ndvi=(0.7, 0.2)), "ndvi is 0.7 to 0.2"),
        (lambda: DatabaseSettings(noise_VV=-1.0), "noise_VV is -1"),
        (lambda: make_database(DatabaseSettings(samples=3, soil_model="oh")), "use integral_equation or empirical"),
        (lambda: InversionSettings(polarisations=("HH",)), "choose VV, VH or both"),
        (lambda: InversionSettings(hidden=0), "hidden is 0"),
    ],
)
def test_settings_it_refuses(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_too_few_plots():
    few = DatabaseSettings(samples=100)
    with pytest.raises(InputError, match="too few; take more samples"):
        train_inversion(make_database(few), few, InversionSettings())


def test_shipped_checkpoint_keeps_the_published_accuracy(repository):
    """Root mean square error of S2MP: about 0.05 m3 m-3 (docs/retrieval.md)."""
    shipped = load_inversion(repository / "checkpoints" / "retrieval_VV.nc")
    found = skill_table(shipped, make_database(DatabaseSettings(samples=20_000, seed=1002)))[0]
    assert found["plots"] == "all"
    assert found["RMSE"] < 0.050
    assert abs(found["bias"]) < 0.003


def test_means_of_cells_are_better_than_plots(inversion):
    """Averaging removes independent errors, and leaves what regression to the mean does to a dry or wet cell."""
    rows = skill_table(inversion, make_database(DatabaseSettings(samples=6000, seed=79)))
    found = {row["plots"]: row for row in rows if row["a_priori"] == "none"}
    assert found["means of 60"]["N"] == found["all"]["N"] // 60
    assert 0.01 < found["means of 60"]["RMSE"] < 0.7 * found["all"]["RMSE"]
    assert found["means of 60"]["R"] > found["all"]["R"]
