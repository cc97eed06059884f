"""Models of one's own, a file each.

`models/networks/own/<kind>.py` holds

    def net(settings, inputs, classes) -> torch.nn.Module

which takes what the loaders give as `x` and gives logits of shape (rows, classes); `inputs` is the
data card's. Its settings are a class in the union of `conf/schema/model.py`.
"""
