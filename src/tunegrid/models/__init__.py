"""Where weights come from, their shapes and operations, generation of text.

To add a kind of source: a class like these, and its name here.
"""

from tunegrid.models.families import FAMILIES, Family
from tunegrid.models.packaged import PackagedModel
from tunegrid.models.pretrain.settings import PretrainSource
from tunegrid.models.shape import Shape
from tunegrid.models.sources import DirectoryModel, HubModel

MODEL_SOURCES = {
    "directory": DirectoryModel,
    "hub": HubModel,
    "packaged": PackagedModel,
    "pretrain": PretrainSource,
}

__all__ = ["FAMILIES", "MODEL_SOURCES", "Family", "Shape"]
