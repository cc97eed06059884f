"""Networks of your own kinds of model, one file each.

`models/networks/own/<kind>.py` holds

    def net(settings, inputs, outputs) -> torch.nn.Module

which builds a network from what the loaders give as `x` to logits of shape (rows, outputs);
`inputs` is the data card's. The settings are a class in the union of `conf/schema/model.py`, and
its `capabilities` name the function. See `docs/extend.md`.
"""
