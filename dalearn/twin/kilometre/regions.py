"""The 1 km regions by name."""

from dalearn.twin.kilometre.montpellier import MONTPELLIER
from dalearn.twin.kilometre.region import Region

REGIONS: dict[str, Region] = {region.name: region for region in (MONTPELLIER,)}
