"""Configuration: typed sections, the study that puts them together, and the home folder.

Importing this package first sets the environment switches that other libraries read at import.
"""

from conf.runtime import environment

environment.apply()
