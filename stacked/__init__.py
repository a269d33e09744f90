"""Greedy layer-wise stacked pretraining.

The public names are listed in `__init__.pyi`, which type checkers read too; each is loaded when it is first used, for
torch alone takes a second.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
