"""Data module of a trial: loaders of the prepared training and validation splits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.utils.data import DataLoader, Dataset

from conf.loading.digests import derived_seed
from conf.runtime.import_lightning import pl
from conf.runtime.types import Floats32, Ints
from conf.schema.augment import Augment
from conf.schema.estimators import Linear
from conf.schema.study import TrialConfig
from data.assets.pretrained import home_of
from data.card import (
    DataCard,
    ImageInputs,
    PairsInputs,
    TableInputs,
    TextInputs,
    TokenInputs,
    VectorInputs,
)
from data.encoding.pair_tokenizer import PairEncoder
from data.encoding.tokenizer import Encoder
from data.loading.collate import Batch, VectorBatches
from data.loading.collate_texts import Bucketed, TextBatches
from data.loading.eval_loader import encoding_of, evenly, in_order, plain, same
from data.loading.sampler import EpochSampler, PoissonBatches
from data.loading.split_reader import PreparedSplit, auxiliary_targets
from data.sources.rows import CONTENT, FixedListColumn
from data.transforms.backtranslations import Paraphrases, paraphrases_file
from data.transforms.images import Pipeline, transforms
from data.transforms.mixup import Mixer
from data.transforms.oversample import repeated_rows, smote
from data.transforms.presets import resolved
from data.transforms.synonyms import synonyms
from data.transforms.texts import TextPipeline, changes_texts

VALIDATION_ROWS = 256
PAIRS_AT_ONCE = 64


class StudyData(pl.LightningDataModule):
    """The train and validation loaders of one trial.

    Everything random in an epoch is a function of (seed, epoch) alone: the order by the sampler's
    `set_epoch`, the changes of a row by (seed, epoch, row). Neither the number of workers, nor an
    interruption, nor (mixup and length buckets aside) the size of a batch changes a sample.
    """

    def __init__(  # noqa: PLR0913  keyword options
        self,
        config: TrialConfig | Mapping[str, Any],
        card: DataCard,
        train: Path,
        validation: Path | None,
        seed: int,
        workers: int = 0,
        *,
        also: Sequence[Path] = (),
        batch_size: int | None = None,
        features: Mapping[Path, Floats32] | None = None,
    ) -> None:
        """Store the arguments; nothing is opened yet.

        Args:
            config: the trial's configuration.
            card: the prepared data's card.
            train: folder of the training split.
            validation: folder of the validation split; None when the trial has none.
            seed: the trial's.
            workers: processes that load; 0 loads in the trial's own.
            also: folders of further parts to train on.
            batch_size: rows loaded at once where that is less than `train.batch_size`.
            features: of the rows of each part, what is loaded in their place.
        """
        super().__init__()
        self.config = (
            config if isinstance(config, TrialConfig) else TrialConfig.model_validate(config)
        )
        self.card = card
        self._folder = Path(train)
        self._paths = ([Path(train), *map(Path, also)], validation and Path(validation))
        self._seed = seed
        self._workers = workers
        self._batch_size = batch_size or self.config.train.batch_size
        self._features = features
        self._augment = resolved(self.config.augment, card.inputs.kind)
        self._train: Dataset[Batch] | None = None
        self._validation: Dataset[Batch] | None = None

    @cached_property
    def _encoder(self) -> Encoder | PairEncoder | None:
        return encoding_of(self.config, self._folder.parent)

    @property
    def _as_texts(self) -> bool:
        return isinstance(self.config.model, Linear)

    def setup(self, stage: str | None = None) -> None:  # noqa: ARG002
        """Open the splits; a second call does nothing."""
        if self._train is not None:
            return
        train, validation = self._paths
        split = PreparedSplit(train)
        self._train = self._training(split, np.arange(len(split)))
        if validation is not None:
            held = PreparedSplit([validation])
            self._validation = self._held(held, np.arange(len(held)))

    def _held(self, split: PreparedSplit, rows: Ints) -> Dataset[Batch]:
        """Plain batches of the rows to validate on; of pairs a share, texts of like length
        together."""
        if self._features is not None:
            return self._featured(split, rows)
        inputs = self.card.inputs
        if not isinstance(inputs, PairsInputs):
            if isinstance(inputs, TextInputs):
                # By the prepared tokens: one order for all trials, whatever their tokenizers.
                lengths = split.lists("text_tokens").lengths[rows]
                rows = rows[np.argsort(lengths, kind="stable")]
            return plain(split, rows, self.card, self._encoder, as_texts=self._as_texts)
        chosen = evenly(rows, self.config.evaluate.texts.rows)
        lengths = split.lists("source_tokens").lengths[chosen]
        return plain(split, chosen[np.argsort(lengths, kind="stable")], self.card, self._encoder)

    def _training(self, split: PreparedSplit, rows: Ints) -> Dataset[Batch]:
        """Augmented batches of some rows of a split."""
        if self._features is not None:
            if self._augment.oversample is not None:
                rows = _with_repeats(rows, split.numbers("label"), self._augment, self._seed)
            return self._featured(split, rows)
        inputs = self.card.inputs
        if isinstance(inputs, TextInputs | PairsInputs):
            return self._text_training(split, rows, inputs)
        return self._vector_training(split, rows, inputs)

    def _featured(self, split: PreparedSplit, rows: Ints) -> VectorBatches:
        """Batches of precomputed features in place of the rows."""
        assert self._features is not None
        content = FixedListColumn([self._features[path] for path in split.paths])
        inputs = TableInputs(features=content.length, shift=(0.0,), scale=(1.0,))
        labels, second = split.numbers("label"), auxiliary_targets(split)
        return VectorBatches(content, split.ids, labels, rows, inputs, second=second)

    def _text_training(
        self, split: PreparedSplit, rows: Ints, inputs: TokenInputs
    ) -> Dataset[Batch]:
        augment = self._augment
        slots = rows
        if augment.oversample is not None and split.has("label"):
            slots = _with_repeats(rows, split.numbers("label"), augment, self._seed)
        pipeline = tokenizer = None
        if changes_texts(augment):
            tokenizer = Tokenizer.from_file(str(self._folder.parent / "tokenizer.json"))
            words = {word.strip("Ġ").lower() for word in tokenizer.get_vocab()}
            pipeline = text_pipeline(augment, self._folder.parent, self._seed, words)
        return TextBatches(
            split,
            slots,
            inputs,
            pipeline=pipeline,
            tokenizer=tokenizer,
            encoder=self._encoder,
            as_texts=self._as_texts,
        )

    def _vector_training(
        self, split: PreparedSplit, rows: Ints, inputs: VectorInputs
    ) -> Dataset[Batch]:
        augment = self._augment
        content = split.vectors(CONTENT[inputs.kind][0])
        ids, labels, slots = split.ids, split.numbers("label"), rows
        if augment.oversample is not None:
            if augment.oversample.kind == "smote" and isinstance(inputs, TableInputs):
                known = content.take(rows)
                scale = np.asarray(inputs.scale, dtype=np.float64)
                new, classes = smote(known, labels[rows], augment.oversample, self._seed, scale)
                one_hot = slice(inputs.numeric, None)
                new[:, one_hot] = new[:, one_hot] > 0.5  # the nearer neighbour's category
                content = FixedListColumn([np.concatenate([known, new])])
                # Synthetic rows have no number in the source.
                ids = np.concatenate([ids[rows], np.full(len(new), -1)])
                labels = np.concatenate([labels[rows], classes])
                slots = np.arange(len(labels))
            else:
                slots = _with_repeats(rows, labels, augment, self._seed)
        pipeline = None
        if isinstance(inputs, ImageInputs) and transforms(augment, inputs.channels):
            pipeline = Pipeline(augment, self._seed, inputs.channels)
        blends = augment.mixup is not None or augment.cutmix is not None
        return VectorBatches(
            content,
            ids,
            labels,
            slots,
            inputs,
            pipeline=pipeline,
            jitter=(augment.jitter, self._seed) if augment.jitter is not None else None,
            mixer=Mixer(augment, len(self.card.classes), self._seed) if blends else None,
            second=auxiliary_targets(split),
        )

    @property
    def train_rows(self) -> int:
        """Rows of one training epoch, oversampled ones included."""
        self.setup()
        assert self._train is not None
        steps = self.config.train.steps_per_epoch
        rows = len(self._train)  # type: ignore[arg-type]
        return rows if steps is None else steps * self.config.train.batch_size

    def train_dataloader(self) -> DataLoader[Batch]:
        """Augmented batches, shuffled in every epoch; texts of similar length form a batch."""
        length = self.train_rows
        assert self._train is not None
        order: EpochSampler | PoissonBatches
        if self.config.train.privacy is None:
            order = EpochSampler(len(self._train), self._seed, length)  # type: ignore[arg-type]
        else:
            order = PoissonBatches(length, -(-length // self._batch_size), self._seed)
        if self.trainer is not None:
            # Of a resumed run Lightning fetches the first batches before it tells the epoch.
            done: Any = self.trainer.fit_loop.epoch_progress.current
            order.set_epoch(done.processed)
        if isinstance(order, PoissonBatches):
            return self._loader(self._train, batch_sampler=order)
        if isinstance(self._train, TextBatches):
            lengths = self._train.tokens.lengths[self._train.slots]
            buckets = Bucketed(order, lengths, self._batch_size, self._seed)
            return self._loader(self._train, batch_sampler=buckets)
        return self._loader(self._train, sampler=order, batch_size=self._batch_size)

    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """Batches without augmentation; an empty list where the trial has no validation split."""
        self.setup()
        if self._validation is None:
            return []
        size = max(self._batch_size, VALIDATION_ROWS)
        if isinstance(self._validation, TextBatches):
            # Of text pairs no activation is kept for a backward pass.
            pairs = isinstance(self.card.inputs, PairsInputs)
            size = max(self._batch_size, PAIRS_AT_ONCE) if pairs else self._batch_size
        return self._loader(self._validation, sampler=in_order(self._validation), batch_size=size)

    def _loader(self, data: Dataset[Batch], **order: Any) -> DataLoader[Batch]:
        # Without a generator of its own a loader draws from torch's global one, and a resumed
        # epoch then draws one number less than one that was not interrupted.
        generator = torch.Generator().manual_seed(derived_seed(self._seed, "loader"))
        return DataLoader(
            data,
            collate_fn=same,
            num_workers=self._workers,
            persistent_workers=self._workers > 0,
            generator=generator,
            **order,
        )


def text_pipeline(augment: Augment, parts: Path, seed: int, words: Collection[str]) -> TextPipeline:
    """The changes of texts, with what they need out of the home that the parts lie in."""
    home, back = home_of(parts), augment.back_translation
    known = synonyms(augment, home.assets, words)
    if back is None:
        return TextPipeline(augment, seed, known)
    file = paraphrases_file(home, parts.parent.name, back)
    return TextPipeline(augment, seed, known, Paraphrases(file))


def _with_repeats(rows: Ints, labels: Ints, augment: Augment, seed: int) -> Ints:
    """The rows, and repeated ones of rare classes."""
    assert augment.oversample is not None
    return np.concatenate([rows, rows[repeated_rows(labels[rows], augment.oversample, seed)]])
