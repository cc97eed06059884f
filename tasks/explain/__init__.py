"""Why a champion answers as it does, on rows of the test part: drawn on the study's page."""
