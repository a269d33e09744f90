"""The greedy algorithm: train a layer, encode the rows with it, train the next layer on the codes, and so on.

Hinton and Salakhutdinov (2006); Bengio, Lamblin, Popovici and Larochelle (2007); Vincent et al. (2010).
"""

import copy
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import nn

from stacked.autoencoders import Autoencoder, LayerSettings
from stacked.cache import CodeCache
from stacked.callbacks import Callback, History, check_callbacks
from stacked.coding import Coding
from stacked.devices import device_named, dtype_named, numpy_dtype
from stacked.divergence import restored_unless_finished
from stacked.errors import check_count, mismatch
from stacked.examples import Examples
from stacked.frames import columns_of
from stacked.orders import shuffling
from stacked.progress import training_display
from stacked.provenance import Provenance
from stacked.randomness import Randomness, randomness_of
from stacked.ranks import ALONE, Ranks
from stacked.rows import Rows, fingerprint
from stacked.run_directory import Details, RunDirectory, opened_run
from stacked.scaling import Scaling, planned_scaling
from stacked.shards import ascent_of
from stacked.stack_checks import check_layers, checked_tables, tables_of
from stacked.state_files import fingerprint_of
from stacked.streams import Streams
from stacked.temporary_cache import cache_for_run, make_room
from stacked.training import Training
from stacked.training_config import TrainingConfig, check_plan
from stacked.unrolled import Unrolled


class StackedAutoencoder(Coding):
    """Autoencoder layers trained one after the other, each on the codes of the one below.

    Parameters
    ----------
    layers : sequence of LayerSettings
        `Plain`, `Denoising`, `Sparse`, `Contractive` or `Variational`, bottom first, in any mix.
    training : TrainingConfig or sequence of TrainingConfig
        How each layer is trained; one for all, or one a layer.
    seed : int or Randomness
        Determines the initial weights, the orders and the noise.
    dtype : {"float32", "float64"}
        Of weights and codes.
    device : str
        "cpu", "cuda" or "mps".
    scaling : {"none", "min_max", "standard"}
        Of the rows, learnt by `fit` and applied wherever rows are taken; `reconstruct` and `decode` undo it.
    cache : CodeCache or path, optional
        Where codes are kept between calls, so that nothing is encoded twice. Without one, `fit` keeps the codes it
        needs in a temporary file and `encode` computes afresh.

    Attributes
    ----------
    layers : list of Autoencoder
        The layers, bottom first; empty before `fit` or `draw`.
    scaling : Scaling or None
        That of the rows, once it is learnt.
    histories : list of History
        The training record of each layer.
    fine_tuning : History
        The record of `fine_tune`.
    provenance : Provenance
        What it was trained on: `fit` notes how many rows, and the columns of a frame.
    """

    def __init__(  # noqa: PLR0913 - all but the first two are keywords
        self,
        layers: Sequence[LayerSettings],
        training: TrainingConfig | Sequence[TrainingConfig] | None = None,
        *,
        seed: int | Randomness = 0,
        dtype: str = "float32",
        device: str | torch.device = "cpu",
        scaling: str = "none",
        cache: CodeCache | str | os.PathLike[str] | None = None,
    ) -> None:
        self.settings, self.training = check_layers(layers, TrainingConfig() if training is None else training)
        self.randomness = randomness_of(seed)
        self.dtype, self.device = dtype_named(dtype), device_named(device)
        self.cache = cache if cache is None or isinstance(cache, CodeCache) else CodeCache(cache)
        self.layers: list[Autoencoder] = []
        self.histories: list[History] = []
        self.fine_tuning = History()
        self.scaling, self.scaling_kind = planned_scaling(scaling)
        self.provenance = Provenance()

    def fit(
        self,
        x: Any,
        *,
        validation: Any = None,
        callbacks: Sequence[Callback] = (),
        progress: bool | None = None,
        run: RunDirectory | str | os.PathLike[str] | None = None,
        ranks: Ranks = ALONE,
    ) -> "StackedAutoencoder":
        """Train every layer.

        Parameters
        ----------
        x : array, tensor, frame or HDF5 dataset
            Rows, shape `(n, n_inputs)`. Columns of frames that have names are found by them ever after.
        validation : the same, optional
            Rows on which each layer's reconstruction loss is measured after every epoch.
        callbacks : sequence of Callback
            Told about every step and epoch of every layer.
        progress : bool, optional
            Whether to show progress; by default, when standard error is a terminal.
        run : RunDirectory or path, optional
            A folder for checkpoints. The same call with the same folder goes on where an earlier one was interrupted,
            and ends with the same bits as if nothing had happened.
        ranks : Ranks
            Who trains together, as `joined_ranks` gives them: all call this in the same way, with a run in a folder
            that all see. The weights are those of one process, to rounding.

        Raises
        ------
        StackedError
            Before any work is done, when the rows do not suit the layers or the folder holds another run; later, when
            a loss is no longer finite.
        """
        with ranks.one_warning():
            with ranks.agreeing():
                check_callbacks(callbacks)
                ranks.check_device(self.device)
                columns = columns_of(x)
                rows = tables_of(x, validation, columns=columns)
                scaling, tables, within = checked_tables(rows, self.settings, self.dtype, self.scaling_kind)
                layers = self.planned_layers(tables)
            histories, is_kept = [], self.cache is not None or run is not None
            origins = [fingerprint(rows) for rows in tables] if is_kept else ["rows", "validation"][: len(tables)]
            with (
                opened_run(run, self, "layers", partial(self._details, tables, origins), ranks) as trainings,
                cache_for_run(self.cache, trainings.codes, ranks) as cache,
                training_display(progress if ranks.leads else False) as display,
            ):
                n_bytes = sum(self.disk_bytes(len(rows)) for rows in tables)
                with ranks.agreeing():
                    display.note(make_room(cache, n_bytes, kept=self.cache is not None))
                ascent = ascent_of(tables, origins, cache, ranks, trainings.codes)
                for number, layer in enumerate(layers, start=1):
                    training = self.training_of(number, layer, [display, *callbacks], ranks)
                    histories.append(trainings.train(f"layer-{number}", training, ascent.examples))
                    ascent.climb(layer)
        known = Provenance(n_rows=len(tables[0]), columns=columns, in_unit_range=within)
        self.take_over(layers, histories, scaling, known)
        return self

    def take_over(
        self, layers: list[Autoencoder], histories: list[History], scaling: Scaling | None, provenance: Provenance
    ) -> None:
        """Be what was trained."""
        self.layers, self.histories, self.fine_tuning = layers, histories, History()
        self.scaling, self.provenance = scaling, provenance

    def draw(self, n_inputs: int) -> "StackedAutoencoder":
        """Give every layer its random initial weights, for rows of `n_inputs` columns, in place of training them."""
        check_count("n_inputs", n_inputs)
        self.layers = self.drawn_layers(n_inputs)
        self.histories, self.fine_tuning = [History() for _ in self.layers], History()
        self.scaling, self.provenance = None, Provenance()
        return self

    def fine_tune(
        self,
        x: Any,
        training: TrainingConfig | None = None,
        *,
        validation: Any = None,
        callbacks: Sequence[Callback] = (),
        progress: bool | None = None,
        run: RunDirectory | str | os.PathLike[str] | None = None,
    ) -> "StackedAutoencoder":
        """Train all layers together, as one deep autoencoder, on the reconstruction of clean rows.

        After `fit` this is the unrolled fine-tuning of Hinton and Salakhutdinov (2006); after `draw`, the training of
        a deep autoencoder from random weights. Noise, penalties and constraints of the layers play no part. Nor do
        the log variances and the learnt deviation of a variational layer: they stay those from before, so that its
        `elbo`, `log_likelihood` and `sample` no longer describe it.

        Parameters
        ----------
        x, validation, callbacks, progress, run
            As for `fit`; the run is to have a folder of its own, and the layers the weights from before.
        training : TrainingConfig, optional
            How it is trained; its defaults otherwise.

        Raises
        ------
        StackedError
            Before any work is done, when the rows do not suit the layers; later, when the loss is no longer finite.
            The layers are then as they were.
        """
        config = TrainingConfig() if training is None else training
        check_callbacks(callbacks)
        known = self.provenance if self.provenance.columns else replace(self.provenance, columns=columns_of(x))
        rows = tables_of(x, validation, self.n_inputs, known.columns)
        kind = self.scaling_kind if self.scaling is None else self.scaling
        scaling, tables, _ = checked_tables(rows, self.settings[:1], self.dtype, kind)
        model = Unrolled(self.layers)
        check_plan(model, config, len(tables[0]), validation is not None, "the deep autoencoder")
        streams = Streams.of(self.randomness, "deep", device=self.device)

        def details() -> Details:
            weights = fingerprint_of(nn.ModuleList(self.layers).state_dict())
            given = self._details(tables, [fingerprint(rows) for rows in tables])
            return given | {"training": config, "weights": weights}

        with (
            restored_unless_finished(model),
            opened_run(run, self, "deep autoencoder", details) as trainings,
            training_display(progress) as display,
        ):
            training_of_all = Training(model, config, streams, [display, *callbacks], "deep autoencoder")
            self.fine_tuning = trainings.train("deep", training_of_all, lambda: list(map(Examples.all_of, tables)))
        self.scaling, self.provenance = scaling, known
        return self

    def __getitem__(self, depth: slice) -> "StackedAutoencoder":
        """A stack of its lowest layers, `stack[:k]`, with copies of their weights; it has no cache."""
        start, stop, step = depth.indices(len(self.layers)) if isinstance(depth, slice) else (0, 0, 0)
        if start != 0 or step != 1 or stop < 1:
            expected, remedy = "stack[:k], with k from 1 on", "the lower layers make the rows of those above"
            raise mismatch("layers", expected=expected, received=f"stack[{depth}]", remedy=remedy)
        dtype = str(numpy_dtype(self.dtype))
        lowest = StackedAutoencoder(
            self.settings[:stop], self.training[:stop], seed=self.randomness, dtype=dtype, device=self.device
        )
        parts = copy.deepcopy((self.layers[:stop], self.histories[:stop]))
        lowest.take_over(*parts, self.scaling, self.provenance)
        lowest.scaling_kind = self.scaling_kind
        return lowest

    def disk_bytes(self, n_rows: int) -> int:
        """Bytes of codes that `fit` writes for so many rows: those of every layer but the last, which none reads."""
        width = sum(settings.n_units for settings in self.settings[:-1])
        return n_rows * width * self.dtype.itemsize

    def bare_layers(self, n_inputs: int) -> list[Autoencoder]:
        """Layers for rows of `n_inputs` columns, their weights not yet drawn."""
        widths = [n_inputs, *(settings.n_units for settings in self.settings)]
        layers = [settings.build(width, self.dtype) for settings, width in zip(self.settings, widths, strict=False)]
        is_meta = layers[0].encoder_layers[0].weight.is_meta
        return layers if is_meta else [layer.to(self.device) for layer in layers]

    def planned_layers(self, tables: Sequence[Rows]) -> list[Autoencoder]:
        """The layers to be trained on the tables, with random weights, once their plans are seen to suit them."""
        layers = self.drawn_layers(tables[0].shape[1])
        for number, (layer, config) in enumerate(zip(layers, self.training, strict=True), start=1):
            check_plan(layer, config, len(tables[0]), len(tables) > 1, f"layer {number}")
        return layers

    def drawn_layers(self, n_inputs: int) -> list[Autoencoder]:
        """Layers for rows of `n_inputs` columns, with their random initial weights."""
        layers = self.bare_layers(n_inputs)
        for number, layer in enumerate(layers, start=1):
            layer.draw(self.randomness.stream("layer", number, "weights"))
        return layers

    def training_of(
        self, number: int, layer: Autoencoder, callbacks: Sequence[Callback], ranks: Ranks = ALONE
    ) -> Training:
        """The training of a layer by its number, from 1."""
        streams = Streams.of(self.randomness, "layer", number, device=self.device)
        name = f"layer {number}: {type(layer.settings).__name__.lower()} {layer.n_inputs}-{layer.settings.n_units}"
        return Training(layer, self.training[number - 1], streams, callbacks, name, ranks)

    def _details(self, tables: Sequence[Rows], origins: Sequence[str]) -> Details:
        """What the outcome of a run depends on, besides the settings of the stack and the seed."""
        data = dict(zip(("values of x", "values of validation"), origins, strict=False))
        return {**data, "shuffled": shuffling(tables[0]), "training": self.training, "scaling": self.scaling_kind}
