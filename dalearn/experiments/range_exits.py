"""How often the predictors left the training range of an operator during the analyses."""

import numpy as np
import torch

from dalearn.experiments.equivalents import load_equivalents
from dalearn.experiments.run_directory import RunDirectory
from dalearn.experiments.setup import Setup
from dalearn.io import read_values, reading
from dalearn.operators.predictor_range import PredictorRange

MENTIONED_SHARE = 0.01  # of the windows with an observation


def count_range_exits(setup: Setup, directory: RunDirectory) -> list[str]:
    """One sentence per experiment that left the training range in more than 1 % of its analyses.

    Counted on the forecasts of the windows with an observation, from ``analysis.nc``, so that the count does not
    depend on how often the run was interrupted.
    """
    config, sentences = setup.config, []
    assert config.assimilation is not None
    with reading(directory / "analysis.nc") as file:
        for row, experiment in enumerate(config.assimilation.experiments):
            for quantity, operator in load_equivalents(setup, directory, experiment.observations).items():
                observed = np.isfinite(read_values(file, f"{quantity}_observed", row))
                means = [read_values(file, f"{name}_forecast", row) for name in operator.predictors]
                predictors = np.where(observed[..., None], np.stack(means, axis=-1), np.nan)
                counter = PredictorRange(operator.cell_count, operator.predictors, "clip", torch.float64)
                counter.predictor_minimum.copy_(operator.predictor_range.predictor_minimum)
                counter.predictor_maximum.copy_(operator.predictor_range.predictor_maximum)
                counter.check(torch.from_numpy(predictors))
                report = counter.report()
                shares = {name: share for name, share in report.share_per_predictor.items() if share > MENTIONED_SHARE}
                if shares:
                    listed = ", ".join(f"{name} in {100 * share:.1f} %" for name, share in shares.items())
                    sentences.append(
                        f"{experiment.name}: predictors of the {quantity} operator outside their training range: "
                        f"{listed} of the observations (handled by: {operator.out_of_range})."
                    )
    return sentences
