"""Powers that do not depend on where a column stands.

Torch computes the power of most elements of a tensor with vector instructions and of the last ones, which do not fill a
vector, with another function that may differ in the last bit.  Where a domain is cut, other columns are the last ones.
"""

from torch import Tensor
from torch.nn.functional import pad

VECTOR = 32  # elements; a multiple of those that any processor treats at once


def power(base: Tensor, exponent: float) -> Tensor:
    """``base ** exponent``, each element as if it were not among the last; compiled blocks need no such care."""
    last = base.shape[-1]
    return (pad(base, (0, -last % VECTOR), value=1.0) ** exponent)[..., :last]
