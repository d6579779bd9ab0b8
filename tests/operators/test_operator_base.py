"""The interface and the registry."""

import copy
import subprocess
import sys

import pytest
import torch

from dalearn.errors import InputError
from dalearn.operators import ObservationOperator, create_operator, known_operators, register_operator
from dalearn.operators.names import compact

BUILT_IN = ("lai", "linear", "network", "shared_network", "water_cloud", "wg2")


@register_operator("test_exponential")
class ExponentialOperator(ObservationOperator):
    """The third-party operator of the documentation."""

    predictors = ("WG2", "LAI")
    quantity = "sigma0"

    def __init__(self, cell_count, **options):
        super().__init__(cell_count, **options)
        self.dry = self.cell_parameter(-15.0)
        self.slope = self.cell_parameter(20.0)

    def forward(self, predictors):
        soil_moisture, leaf_area_index = predictors.unbind(-1)
        return self.dry + self.slope * soil_moisture * (-0.1 * leaf_area_index).exp()


def test_ships_with_the_operators_of_the_design():
    assert set(BUILT_IN) <= set(known_operators())


def test_unknown_operator_lists_the_known_ones_and_the_likeliest():
    with pytest.raises(InputError) as error:
        create_operator("netwrk", cell_count=2)
    message = str(error.value)
    assert "did you mean network?" in message
    assert all(name in message for name in BUILT_IN)
    assert "\n" not in message


def test_unknown_predictor_lists_the_known_ones():
    with pytest.raises(InputError, match=r"unknown predictor 'wg2' \(did you mean WG2\?\); known: WG1..WG14, .*LAI"):
        create_operator("network", cell_count=2, predictors=["wg2"])


def test_unknown_option_lists_those_of_the_class_and_its_parents():
    with pytest.raises(InputError, match=r"hidden_unit'.*did you mean hidden_units.*out_of_range"):
        create_operator("network", cell_count=2, hidden_unit=10)


@pytest.mark.parametrize("predictors", [[], ["LAI", "LAI"]])
def test_empty_and_repeated_predictors_are_refused(predictors):
    with pytest.raises(InputError, match="predictor"):
        create_operator("network", cell_count=2, predictors=predictors)


def test_a_name_can_be_registered_again_by_the_same_class_only():
    register_operator("test_exponential")(ExponentialOperator)
    with pytest.raises(ValueError, match="taken"):
        register_operator("test_exponential")(type("Other", (ObservationOperator,), {}))


def test_third_party_operator_has_range_selection_and_units(draw):
    operator = create_operator("test_exponential", cell_count=3)
    assert (operator.units, operator.quantity, operator.name) == ("dB", "sigma0", "test_exponential")
    predictors = draw(operator, 5)
    chosen = operator.select_cells([2, 0])
    torch.testing.assert_close(chosen(predictors[:, [2, 0]]), operator(predictors)[:, [2, 0]])
    assert bool(operator.trained.all())


def test_quantity_outside_the_table_needs_units():
    with pytest.raises(InputError, match=r"brightness_temperature.*units"):
        create_operator("linear", cell_count=1, quantity="brightness_temperature")
    operator = create_operator("linear", cell_count=1, quantity="brightness_temperature", units="K")
    assert operator.units == "K"


@pytest.mark.parametrize("name", BUILT_IN)
def test_leading_axes_pass_through(name, draw, fitted):
    operator = fitted(create_operator(name, cell_count=3))
    predictors = draw(operator, 12)
    whole = operator(predictors)
    assert whole.shape == (12, 3)
    torch.testing.assert_close(operator(predictors.reshape(3, 4, 3, -1)).reshape(12, 3), whole)
    torch.testing.assert_close(operator(predictors[7]), whole[7])


@pytest.mark.parametrize("name", BUILT_IN)
def test_derivatives_equal_finite_differences(name, draw, fitted):
    operator = fitted(create_operator(name, cell_count=3))
    if name == "linear":
        operator.slope.data += 0.3
    inside = 0.5 * (draw(operator, 4) + operator.predictor_range.predictor_minimum.clamp(min=0.1))
    assert torch.autograd.gradcheck(operator, (inside.requires_grad_(),))


@pytest.mark.parametrize("name", BUILT_IN)
def test_single_precision(name, draw, fitted):
    single = fitted(create_operator(name, cell_count=3, dtype=torch.float32))
    predictors = draw(single, 6)
    assert single(predictors).dtype == torch.float32
    double = copy.deepcopy(single).to(torch.float64)
    assert double.dtype == torch.float64
    torch.testing.assert_close(single(predictors).double(), double(predictors.double()), rtol=1e-5, atol=1e-5)


def test_wrong_shape_and_wrong_precision_are_refused(draw):
    operator = create_operator("network", cell_count=3)
    with pytest.raises(ValueError, match=r"\(\.\.\., 3, 3\)"):
        operator(torch.zeros(4, 2, 3, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"float64.*float32"):
        operator(torch.zeros(4, 3, 3))


def test_compiles_in_one_graph(draw, fitted):
    operator = fitted(create_operator("network", cell_count=3))
    predictors = draw(operator, 5)
    compiled = torch.compile(operator, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(predictors), operator(predictors))


def test_direct_operator_takes_one_predictor():
    operator = create_operator("wg2", cell_count=2)
    assert (operator.quantity, operator.units) == ("SSM", "m3 m-3")
    values = torch.tensor([[0.1], [0.3]], dtype=torch.float64)
    assert operator(values).tolist() == [0.1, 0.3]
    with pytest.raises(InputError, match="one predictor"):
        create_operator("wg2", cell_count=2, predictors=["WG2", "LAI"])


def test_number_series_are_written_short():
    assert compact(["WG1", "WG2", "WG3", "LAI", "TG2", "TG3"]) == ["WG1..WG3", "LAI", "TG2", "TG3"]


def test_operators_and_training_settings_load_without_the_trainer():
    code = "import sys, dalearn.operators, dalearn.learning.settings; sys.exit('lightning' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
