"""Figures, written as PNG. The only folder that imports matplotlib."""

from stacked.plots.curves import Line, curves
from stacked.plots.distributions import error_distributions
from stacked.plots.pictures import filter_tiles, image_tiles, picture_rows
from stacked.plots.scatter import scatters

__all__ = ["Line", "curves", "error_distributions", "filter_tiles", "image_tiles", "picture_rows", "scatters"]
