"""The experiments and the hyper-parameters of a run: Tables 1 and 2 of Corchia et al. (2023)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
import yaml

_PUBLISHED = {
    "hidden layers": "1",
    "number of neurons": "40",
    "learning rate": "0.001",
    "epoch number": "250",
    "activation function": "Relu",
    "preprocessing of predictors": "Z-score normalization",
}


def experiment_table(configuration: Path) -> pd.DataFrame:
    """Table 1: period, assimilated observations, model equivalents, control variables and forcing of every run.

    ``configuration`` is the config.yaml of a run directory.
    """
    config = yaml.safe_load(configuration.read_text())
    forcing = _forcing(config)
    open_loop = config.get("open_loop")
    rows = []
    if open_loop:
        rows.append(
            {
                "experiment": "OL", "period": _period(open_loop), "assimilated observations": "none",
                "model equivalent": "", "control variables": "", "filter": "", "atmospheric forcing": forcing,
            }
        )  # fmt: skip
    assimilation = config.get("assimilation")
    training = config.get("training")
    sections = {section["name"]: section for section in config.get("observations") or []}
    for experiment in assimilation["experiments"] if assimilation else []:
        used = [sections[name] for name in experiment["observations"]]
        settings = {**assimilation["filter"], **experiment.get("filter", {})}
        control = settings.get("control") or []
        rows.append(
            {
                "experiment": experiment["name"], "period": _period(assimilation),
                "assimilated observations": ", ".join(_observation(section) for section in used),
                "model equivalent": ", ".join(_equivalent(section, training, sections) for section in used),
                "control variables": ", ".join(control), "filter": settings.get("scheme", ""),
                "atmospheric forcing": forcing,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def hyperparameter_table(operator: Path) -> pd.DataFrame:
    """Table 2: hyper-parameters of the operator stored in ``operator`` beside those of the paper."""
    with xr.open_dataset(operator) as dataset:
        attributes = dict(dataset.attrs)
        predictors = ", ".join(str(name) for name in dataset["predictor"].values) if "predictor" in dataset else ""
        z_scores = "predictor_mean" in dataset and "predictor_std" in dataset
        trained = int(np.asarray(dataset["trained"].values).sum()) if "trained" in dataset else None
    options, settings = _stored(attributes, "operator_options"), _stored(attributes, "training_settings")
    here = {
        "operator": attributes.get("operator"),
        "cells with a trained operator": trained,
        "predictors": predictors,
        "hidden layers": options.get("hidden_layers"),
        "number of neurons": options.get("hidden_units"),
        "learning rate": settings.get("learning_rate"),
        "epoch number": settings.get("epochs"),
        "activation function": options.get("activation"),
        "preprocessing of predictors": "z-score normalisation" if z_scores else None,
        "batch size": settings.get("batch_size"),
        "share of the training period for validation": settings.get("validation_share"),
        "training period": attributes.get("training_period"),
    }
    published = {
        "operator": "one network per cell", "cells with a trained operator": "247", "predictors": "WG2, TG2, LAI",
        "training period": "2007 to 2014", **_PUBLISHED,
    }  # fmt: skip
    return pd.DataFrame(
        [
            {
                "hyper-parameter": name,
                "Corchia et al. (2023)": published.get(name, "not stated"),
                "this run": "" if value is None else f"{value:g}" if isinstance(value, float) else str(value),
            }
            for name, value in here.items()
        ]
    )


def _stored(attributes: Mapping[str, Any], name: str) -> dict[str, Any]:
    return dict(json.loads(attributes.get(name, "{}")))


def _period(section: Mapping[str, Any]) -> str:
    return f"{section['start']} to {section['end']}"


def _forcing(config: Mapping[str, Any]) -> str:
    if config.get("twin"):
        return "synthetic weather of the twin"
    section = config.get("forcing") or {}
    return Path(section["path"]).name if section.get("path") else "prepared from downloaded files"


def _observation(section: Mapping[str, Any]) -> str:
    rescaled = f", rescaled ({section['rescale']})" if section.get("rescale", "none") != "none" else ""
    return f"{section['name']} ({section['quantity']}{rescaled})"


def _equivalent(section: Mapping[str, Any], training: Mapping[str, Any] | None, sections: Mapping[str, Any]) -> str:
    direct = {"SSM": "WG2", "LAI": "LAI"}
    if training and section.get("rescale", "none") == "none":
        learned = sections[training["observations"]]
        if learned["quantity"] == section["quantity"]:
            return f"{section['quantity']} ({training['operator']})"
    return direct.get(section["quantity"], section["quantity"])
