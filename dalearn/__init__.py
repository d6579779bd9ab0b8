"""dalearn: differentiable land data assimilation in PyTorch."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("dalearn")
except PackageNotFoundError:
    __version__ = "0+unknown"
