"""Inside a trial process: server, fit, callbacks, checkpoints, Lightning."""
