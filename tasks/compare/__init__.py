"""Two studies, trials or champions compared; replay of a trial."""
