"""Metrics of one's own, a file each.

`tasks/evaluate/own/<name>.py` holds

    def score(targets, predictions, probabilities) -> float

of arrays of shape (rows,), (rows,) and (rows, classes); the name goes into `MoreIsBetter` or
`LessIsBetter` of `conf/schema/evaluate.py`. Intervals, the record and the search then know it.
"""
