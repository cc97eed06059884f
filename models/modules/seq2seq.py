"""The LightningModule of text generation networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tokenizers import Tokenizer
from torch import Tensor

from conf.schema.model import Gru
from conf.schema.seq2seq import Causal, Seq2Seq
from conf.schema.study import TrialConfig
from data.card import PairsInputs
from models.modules.base import TrainableModule
from models.modules.seq2seq_loss import PairsBatch, sequence_losses, unsaved_parameters
from models.networks.gru import GruNet, beam, greedy

if TYPE_CHECKING:
    from models.pretrained.seq2seq import PretrainedSeq2SeqNet


class Seq2SeqModule(TrainableModule):
    """Trains `net` with teacher forcing; validates by generating texts."""

    net: GruNet | PretrainedSeq2SeqNet

    def __init__(
        self,
        net: GruNet | PretrainedSeq2SeqNet,
        config: TrialConfig,
        inputs: PairsInputs,
        total_steps: int,
        tokenizer: Path | Tokenizer,
    ) -> None:
        """`tokenizer` decodes tokens to texts; a path is read when the first text is decoded."""
        super().__init__(net, config.train, total_steps)
        assert isinstance(config.model, Gru | Seq2Seq | Causal)
        self._model = config.model
        self._searches = config.evaluate.texts.search == "beam"
        self._longest = inputs.longest
        # The loss of a row is a sum over its tokens; this keeps it near the mean a token, and the
        # same however a batch is divided.
        self._usual = inputs.lengths["target"].median + 1.0
        self._tokenizer = tokenizer

    def training_step(self, batch: PairsBatch, batch_idx: int) -> Tensor:
        """Mean loss of a batch, times its weight in the optimiser step."""
        losses = sequence_losses(self.net, batch, self._model.smoothing)
        loss = losses.mean() / self._usual
        if self.allocation is not None:
            loss = loss + self.allocation.penalty()
        return loss * self.loss_weight

    def validation_step(self, batch: PairsBatch, batch_idx: int) -> dict[str, object]:
        """`id`, `reference` and `hypothesis` as texts, `loss` (summed over the tokens of a target,
        in nats) and `tokens` (their number)."""
        return {
            "id": batch["id"],
            "reference": batch["reference"],
            "hypothesis": self._texts(self._generated(batch)),
            "loss": sequence_losses(self._inference_net, batch, 0.0),
            "tokens": batch["y_mask"][:, 1:].sum(dim=1),
        }

    def predict_step(self, batch: PairsBatch, batch_idx: int) -> dict[str, object]:
        """Like `validation_step`."""
        return self.validation_step(batch, batch_idx)

    @property
    def _inference_net(self) -> GruNet | PretrainedSeq2SeqNet:
        return cast("GruNet | PretrainedSeq2SeqNet", self.inference_net)

    def _generated(self, batch: PairsBatch) -> list[list[int]]:
        beams = self._model.beams if self._searches else 1
        net = self._inference_net
        if not isinstance(net, GruNet):
            return net.write(batch["x"], batch["mask"], beams)
        memory = net.encode(batch["x"], batch["mask"])
        if beams == 1:
            return greedy(net, memory, self._longest)
        return beam(net, memory, self._longest, beams, self._model.length_penalty)

    def _texts(self, tokens: list[list[int]]) -> list[str]:
        if isinstance(self._tokenizer, Path):
            self._tokenizer = Tokenizer.from_file(str(self._tokenizer))
        return [text.strip() for text in self._tokenizer.decode_batch(tokens)]

    def state_dict(  # type: ignore[override]
        self, *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """The state without frozen weights and without aliases of tied weights."""
        state = super().state_dict(*args, **kwargs)
        unsaved = {
            f"{of}net.{name}" for name in unsaved_parameters(self.net) for of in ("", "average.")
        }
        return {name: each for name, each in state.items() if name not in unsaved}
