"""Figures, written as PNG. The only folder that imports matplotlib."""

from stacked.plots.codes import code_map
from stacked.plots.column_errors import column_errors
from stacked.plots.confusion import confusion_matrix
from stacked.plots.curves import Line, curves
from stacked.plots.distributions import error_distributions
from stacked.plots.embedding import Colours, embedding
from stacked.plots.losses import loss_curves
from stacked.plots.pictures import filter_tiles, image_tiles, picture_rows
from stacked.plots.scatter import scatters
from stacked.plots.weights import weight_map

__all__ = [
    "Colours",
    "Line",
    "code_map",
    "column_errors",
    "confusion_matrix",
    "curves",
    "embedding",
    "error_distributions",
    "filter_tiles",
    "image_tiles",
    "loss_curves",
    "picture_rows",
    "scatters",
    "weight_map",
]
