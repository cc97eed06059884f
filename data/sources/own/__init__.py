"""Sources of one's own, a file each.

`data/sources/own/<source>.py` holds

    def open_source(settings, home) -> data.sources.base.Source

Its settings are a class in the union of `conf/schema/data.py`.
"""
