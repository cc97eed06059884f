"""Changes of images of one's own, a file each.

`data/transforms/own/<name>.py` holds

    def transform(settings, channels) -> albumentations.BasicTransform

of images of (height, width, channels), bytes of 0-255 or floats of 0-1. Draw from the transform's
own generators only (`self.py_random`, `self.random_generator`): they make a sample repeatable. Its
settings are a field of `Augment` in `conf/schema/augment.py`, its name one of the image's in
`KNOWN` of `data/transforms/presets.py`.
"""
