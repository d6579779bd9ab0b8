"""Observation operators: one interface, several implementations, found by name."""

from dalearn.operators.bare_soil import BareSoilOperator
from dalearn.operators.base import (
    ObservationOperator,
    create_operator,
    known_operators,
    register_operator,
)
from dalearn.operators.direct import LeafAreaIndexOperator, SurfaceSoilMoistureOperator
from dalearn.operators.hierarchical_network import HierarchicalNetworkOperator
from dalearn.operators.linear import LinearOperator
from dalearn.operators.network import CellNetworkOperator
from dalearn.operators.predictor_range import OUT_OF_RANGE_RULES, PredictorRange, RangeReport
from dalearn.operators.shared_network import SharedNetworkOperator
from dalearn.operators.store import load_operator, save_operator
from dalearn.operators.water_cloud import WaterCloudOperator

__all__ = [
    "OUT_OF_RANGE_RULES",
    "BareSoilOperator",
    "CellNetworkOperator",
    "HierarchicalNetworkOperator",
    "LeafAreaIndexOperator",
    "LinearOperator",
    "ObservationOperator",
    "PredictorRange",
    "RangeReport",
    "SharedNetworkOperator",
    "SurfaceSoilMoistureOperator",
    "WaterCloudOperator",
    "create_operator",
    "known_operators",
    "load_operator",
    "register_operator",
    "save_operator",
]
