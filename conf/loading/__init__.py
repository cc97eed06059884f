"""From YAML and overrides to a validated `Study`; its plan and the reference page."""
