"""Sources, LightningDataModules and augmentation."""
